/** Requests for the action catalogue: the built-in actions, and those that the environment added. */
import type { Client } from "./client.js";

export interface Labels {
  en: string;
  de: string;
}

export interface NamedAction {
  /** The `action` of events. */
  name: string;
  label: Labels;
  /** The templates of the action's sentence, and of the sentence for an attempt. Null means the default. */
  sentence: Labels | null;
  attempted: Labels | null;
}

export interface CatalogueAction extends NamedAction {
  /** Whether the label is the environment's own. */
  own: boolean;
  builtIn: boolean;
}

/** The words of one language, as sent by the service. Templates are pairs of (done, attempted). */
export interface Grammar {
  readonly neutral: readonly [string, string];
  readonly verbs: Readonly<Record<string, readonly [string, string]>>;
  /** Noun and indefinite phrase by resource type. */
  readonly nouns: Readonly<Record<string, readonly [string, string]>>;
  /** Patterns with the indefinite phrase for other types. The first match applies. */
  readonly articles: readonly (readonly [string, string])[];
  readonly actors: Readonly<Record<string, string>>;
  readonly nobody: string;
  readonly nothing: string;
}

/** A catalogue with the ETag of the environment's settings. */
export interface CatalogueVersion {
  actions: CatalogueAction[];
  grammar: Record<"en" | "de", Grammar>;
  etag: string;
}

/** Reads the catalogue of a tenant, or of the environment if `tenant` is null. Rejects with Problem. */
export async function readActions(client: Client, tenant: string | null): Promise<CatalogueVersion> {
  const scope = tenant === null ? "" : `/tenants/${encodeURIComponent(tenant)}`;
  return await versionFrom(await client.send(`/v1${scope}/structure/actions`));
}

/** Adds the action to the environment's own, or changes its texts. Rejects with Problem. */
export async function nameAction(client: Client, etag: string, { name, label, sentence, attempted }: NamedAction): Promise<CatalogueVersion> {
  const body = { actions: [{ name, label, sentence, attempted }] };
  return await versionFrom(await client.send("/v1/structure/actions", { method: "POST", body, headers: { "If-Match": etag } }));
}

/** Removes the environment's label for an action. Rejects with Problem. */
export async function forgetAction(client: Client, name: string): Promise<void> {
  await client.json(`/v1/structure/actions/${encodeURIComponent(name)}`, { method: "DELETE" });
}

async function versionFrom(response: Response): Promise<CatalogueVersion> {
  const catalogue = (await response.json()) as Omit<CatalogueVersion, "etag">;
  return { ...catalogue, etag: response.headers.get("ETag") ?? "*" };
}
