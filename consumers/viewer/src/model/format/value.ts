/** A field's value of an event: which it is, and how it reads in one line. */
import type { AuditEvent, DisplayType, ShownField } from "../../api/types.js";
import { ownValue } from "../own-property.js";

/** As text; null where the event has none. Metadata is JSON. */
export function valueOf(event: AuditEvent, field: Pick<ShownField, "name" | "custom">): string | null {
  if (field.custom) return ownValue(event.fields, field.name) ?? null;
  if (field.name === "metadata") return Object.keys(event.metadata).length ? JSON.stringify(event.metadata) : null;
  const value = ownValue(event as unknown as Record<string, unknown>, field.name);
  return typeof value === "string" && value !== "" ? value : null;
}

/** A metadata key as people read it: the CloudTrail import keeps what is no text as JSON, under `<name>:json`. */
export function metadataLabel(key: string, { source, metadata }: Pick<AuditEvent, "source" | "metadata">): string {
  const name = key.replace(/:json$/, "");
  return source === "cloudtrail" && !Object.hasOwn(metadata, name) ? name : key;
}

/** A number by the language's rules, however many digits it has; other text as it is. */
export function formatNumber(text: string, format: Intl.NumberFormat): string {
  if (!/^-?\d+(\.\d+)?$/.test(text)) return text;
  return format.format(text as unknown as number); // text keeps every digit
}

/** JSON without its form: `region: eu, size: 3`. Text that is no JSON as it is. */
export function jsonInline(json: string): string {
  try {
    const value: unknown = JSON.parse(json);
    if (value === null || typeof value !== "object") return json;
    if (Array.isArray(value)) return value.map(short).join(", ");
    return Object.entries(value).map(([name, one]) => `${name}: ${short(one)}`).join(", ");
  } catch {
    return json;
  }
}

/** Which values are looked at with the digits and signs of code. */
export function isCode(type: DisplayType, name: string): boolean {
  return type === "IpAddress" || type === "Json" || /_id$/.test(name);
}

function short(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return `[${value.length}]`;
  if (value !== null && typeof value === "object") return `{${Object.keys(value).length}}`;
  return String(value);
}
