/** Reads and formats the values in the fields of an event. */
import type { AuditEvent, DisplayType, ShownField } from "../../api/types.js";
import { ownValue } from "../own-property.js";

/** Returns a field's value as text, or null if it has none. Metadata is returned as JSON. */
export function valueOf(event: AuditEvent, field: Pick<ShownField, "name" | "custom">): string | null {
  if (field.custom) return ownValue(event.fields, field.name) ?? null;
  if (field.name.startsWith("metadata.")) return ownValue(event.metadata, field.name.slice("metadata.".length)) ?? null;
  if (field.name === "metadata") return Object.keys(event.metadata).length ? JSON.stringify(event.metadata) : null;
  const value = ownValue(event as unknown as Record<string, unknown>, field.name);
  return typeof value === "string" && value !== "" ? value : null;
}

/** Returns a metadata key for display. The CloudTrail import keeps values other than text as JSON under `<name>:json`. */
export function metadataLabel(key: string, { source, metadata }: Pick<AuditEvent, "source" | "metadata">): string {
  const name = key.replace(/:json$/, "");
  return source === "cloudtrail" && !Object.hasOwn(metadata, name) ? name : key;
}

/** Formats a number of any length. Other text is returned unchanged. */
export function formatNumber(text: string, format: Intl.NumberFormat): string {
  if (!/^-?\d+(\.\d+)?$/.test(text)) return text;
  return format.format(text as unknown as number); // a string keeps every digit
}

/** Formats JSON on one line, as `region: eu, size: 3`. Other text is returned unchanged. */
export function jsonInline(json: string): string {
  try {
    const value: unknown = JSON.parse(json);
    if (value === null || typeof value !== "object") return json;
    if (Array.isArray(value)) return value.map(short).join(", ");
    return Object.entries(value).map(([name, member]) => `${name}: ${short(member)}`).join(", ");
  } catch {
    return json;
  }
}

/** Whether a field's values are shown in a monospaced font. */
export function isCode(type: DisplayType, name: string): boolean {
  return type === "IpAddress" || type === "Json" || /_id$/.test(name);
}

function short(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return `[${value.length}]`;
  if (value !== null && typeof value === "object") return `{${Object.keys(value).length}}`;
  return String(value);
}
