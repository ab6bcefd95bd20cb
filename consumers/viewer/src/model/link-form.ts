/** The form for a link to the host's pages: its inputs, and the same validation as in the service. */
export type LinkKey = "resource" | "address";
export type LinkForm = Readonly<Record<LinkKey, string>>;
export type LinkError = "needed" | "taken" | "https" | "space" | "host" | "placeholder" | "idNeeded";

export const MAX_LINKS = 100;
export const MAX_LINK_LENGTH: Readonly<Record<LinkKey, number>> = { resource: 200, address: 1000 };
/** Placeholders in an address. */
export const LINK_PLACEHOLDERS = "{resource_id}, {resource}, {tenant_id}";

const KNOWN = new Set(LINK_PLACEHOLDERS.split(", "));

/** Validates the form. `taken` contains the types that already have a link. */
export function validateLink({ resource, address }: LinkForm, taken: readonly string[]): Partial<Record<LinkKey, LinkError>> {
  const found: Partial<Record<LinkKey, LinkError>> = {};
  if (!resource.trim()) found.resource = "needed";
  else if (taken.includes(resource.trim())) found.resource = "taken";
  const error = addressError(address.trim());
  return error ? { ...found, address: error } : found;
}

/** Returns the first unknown placeholder or stray brace in the address, or "" if it is valid. */
export function invalidLinkPlaceholder(address: string): string {
  const unknown = address.match(/\{[^{}]*\}/g)?.find((found) => !KNOWN.has(found));
  return unknown ?? address.replace(/\{[^{}]*\}/g, "").match(/[{}]/)?.[0] ?? "";
}

function addressError(address: string): LinkError | null {
  if (!address) return "needed";
  if (/[\s\\\p{Cc}]/u.test(address)) return "space";
  const authority = /^https:\/\/([^/?#]+)/i.exec(address)?.[1];
  if (!authority || authority.includes("@")) return "https";
  if (/[{}]/.test(authority)) return "host";
  if (!URL.canParse(`https://${authority}`)) return "https";
  if (invalidLinkPlaceholder(address)) return "placeholder";
  return address.includes("{resource_id}") ? null : "idNeeded";
}
