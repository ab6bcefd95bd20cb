/** The link from an event's resource to the host's own page, from the tenant's template for the resource type. */
import type { AuditEvent, ShownField } from "../api/types.js";
import { ownValue } from "./own-property.js";

/** Returns the address, or "" if the event has no page. Values are percent-encoded. A value of "." or ".." has no address, since it would change the path. */
export function resourceLink(event: AuditEvent, fields: readonly ShownField[]): string {
  const links = fields.find(({ name, custom }) => !custom && name === "resource")?.links;
  const template = links && ownValue(links, event.resource);
  if (!template?.startsWith("https://") || !event.resource_id || /^\.{1,2}$/.test(event.resource_id)) return "";
  const values: Record<string, string> = { resource_id: event.resource_id, resource: event.resource, tenant_id: event.tenant_id };
  return template.replace(/\{(resource_id|resource|tenant_id)\}/g, (_, name: string) => encodeURIComponent((values[name] ?? "").replace(/\p{Cs}/gu, "\ufffd")));
}
