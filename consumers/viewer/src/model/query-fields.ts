/** Fields that a query can use. */
import type { ShownField } from "../api/types.js";
import { ownValue } from "./own-property.js";

export type QueryFieldKind = "text" | "choice" | "level" | "time" | "number" | "boolean" | "ip" | "id";

export interface QueryField {
  /** The field's name in a query. */
  readonly parameter: string;
  readonly name: string;
  readonly kind: QueryFieldKind;
  readonly filterable: boolean;
}

const KINDS: Record<string, QueryFieldKind> = {
  occurred_at: "time",
  ingested_at: "time",
  outcome: "choice",
  provenance: "choice",
  severity: "level",
  ip: "ip",
  event_id: "id",
};

/** Returns the tenant's fields, and base fields that the tenant does not list. Filterable fields come first. */
export function queryFields(fields: readonly ShownField[], names: Record<string, string>): QueryField[] {
  const shown = fields
    .filter((field) => field.parameter !== "metadata") // its keys are fields, but metadata itself is not
    .map((field) => ({
      parameter: field.parameter,
      name: field.displayName,
      kind: field.custom ? customFieldKind(field) : (ownValue(KINDS, field.parameter) ?? "text"),
      filterable: field.filterable,
    }));
  const additional = ["actor", "event_id", "ingested_at"]
    .filter((parameter) => !shown.some((field) => field.parameter === parameter))
    .map((parameter) => ({
      parameter,
      name: ownValue(names, parameter) ?? parameter,
      kind: ownValue(KINDS, parameter) ?? ("text" as const),
      filterable: parameter === "actor",
    }));
  const all = [...additional.slice(0, 1), ...shown, ...additional.slice(1)];
  return [...all.filter((field) => field.filterable), ...all.filter((field) => !field.filterable)];
}

/**
 * Returns the fields that the user can choose. The actor's name is omitted if it has the same label as `actor`, which
 * finds names and IDs.
 */
export function offeredFields(known: readonly QueryField[]): QueryField[] {
  const actor = known.find((field) => field.parameter === "actor")?.name ?? "";
  return known.filter((field) => field.parameter !== "actor_name" || !actor.startsWith(field.name));
}

/**
 * Finds a field by its name in a query. The prefix `fields.` is optional for custom fields. An unknown name, such as a
 * metadata key, is treated as text.
 */
export function findQueryField(known: readonly QueryField[], parameter: string): QueryField {
  const found = known.find((field) => field.parameter === parameter || field.parameter === `fields.${parameter}`);
  return found ?? { parameter, name: parameter, kind: "text", filterable: true };
}

/** Returns the fields whose name or parameter contains the text. Those that begin with it come first. */
export function matchingFields(known: readonly QueryField[], typed: string): QueryField[] {
  const wanted = typed.toLowerCase();
  if (!wanted) return [...known];
  const rank = (field: QueryField): number => {
    const parameter = field.parameter.toLowerCase();
    const texts = [field.name.toLowerCase(), parameter.replace(/^(?:metadata|fields)\./, "")];
    if ([...texts, parameter].some((text) => text.startsWith(wanted))) return 0;
    return texts.some((text) => text.includes(wanted)) ? 1 : 2;
  };
  const ranked = known.map((field) => ({ field, rank: rank(field) })).filter(({ rank }) => rank < 2);
  return ranked.sort((left, right) => left.rank - right.rank).map(({ field }) => field);
}

/** Returns whether values of this kind of field can be listed with counts. */
export function isCountable(kind: QueryFieldKind): boolean {
  return kind !== "time" && kind !== "id";
}

/** Returns whether a field of this kind may have too many values to list, so that they are searched. */
export function hasValueSearch(kind: QueryFieldKind): boolean {
  return kind === "text" || kind === "number" || kind === "ip";
}

function customFieldKind(field: ShownField): QueryFieldKind {
  if (field.displayType === "Timestamp") return "time";
  if (field.displayType === "Number") return "number";
  if (field.displayType === "Boolean") return "boolean";
  return field.displayType === "IpAddress" ? "ip" : "text";
}
