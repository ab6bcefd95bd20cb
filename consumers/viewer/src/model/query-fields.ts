/** The fields that a query can name, as a reader may choose among them. */
import type { ShownField } from "../api/types.js";
import { own } from "./own-property.js";

export type Kind = "text" | "choice" | "level" | "time" | "number" | "boolean" | "ip" | "id";

export interface Known {
  /** Its name in a query. */
  readonly parameter: string;
  readonly name: string;
  readonly kind: Kind;
  readonly filterable: boolean;
}

const KINDS: Record<string, Kind> = {
  occurred_at: "time",
  ingested_at: "time",
  outcome: "choice",
  provenance: "choice",
  severity: "level",
  ip: "ip",
  event_id: "id",
};

/** The tenant's fields, those that it marks as filterable first; then what every event has besides. */
export function knownFields(fields: readonly ShownField[], names: Record<string, string>): Known[] {
  const shown = fields
    .filter((field) => field.parameter !== "metadata") // its keys are fields, the whole is none
    .map((field) => ({
      parameter: field.parameter,
      name: field.displayName,
      kind: field.custom ? ownKind(field) : (own(KINDS, field.parameter) ?? "text"),
      filterable: field.filterable,
    }));
  const lacking = ["actor", "event_id", "ingested_at"]
    .filter((parameter) => !shown.some((one) => one.parameter === parameter))
    .map((parameter) => ({
      parameter,
      name: own(names, parameter) ?? parameter,
      kind: own(KINDS, parameter) ?? ("text" as const),
      filterable: parameter === "actor",
    }));
  const all = [...lacking.slice(0, 1), ...shown, ...lacking.slice(1)];
  return [...all.filter((one) => one.filterable), ...all.filter((one) => !one.filterable)];
}

/** A field by its name in a query; a tenant's own also without `fields.`. Of keys nothing is known. */
export function knownField(known: readonly Known[], parameter: string): Known {
  const found = known.find((one) => one.parameter === parameter || one.parameter === `fields.${parameter}`);
  return found ?? { parameter, name: parameter, kind: "text", filterable: true };
}

/** Those whose name or parameter has this in it; what begins with it comes first, otherwise as they were. */
export function matching(known: readonly Known[], typed: string): Known[] {
  const wanted = typed.toLowerCase();
  if (!wanted) return [...known];
  const rank = (one: Known): number => {
    const parameter = one.parameter.toLowerCase();
    const texts = [one.name.toLowerCase(), parameter.replace(/^(?:metadata|fields)\./, "")];
    if ([...texts, parameter].some((text) => text.startsWith(wanted))) return 0;
    return texts.some((text) => text.includes(wanted)) ? 1 : 2;
  };
  const ranked = known.map((one) => ({ one, rank: rank(one) })).filter(({ rank }) => rank < 2);
  return ranked.sort((one, other) => one.rank - other.rank).map(({ one }) => one);
}

/** Whether its values can be listed with counts. */
export function countable(kind: Kind): boolean {
  return kind !== "time" && kind !== "id";
}

function ownKind(field: ShownField): Kind {
  if (field.displayType === "Timestamp") return "time";
  if (field.displayType === "Number") return "number";
  if (field.displayType === "Boolean") return "boolean";
  return field.displayType === "IpAddress" ? "ip" : "text";
}
