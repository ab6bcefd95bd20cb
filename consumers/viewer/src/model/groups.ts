/** Groups of events by a field, with their rows, the layers of their chart, and their queries. */
import type { Bucket, Group, Groups } from "../api/types.js";
import { withPicks } from "./picks.js";
import { formatTerm, splitAlternatives, withTerm } from "./query.js";

/** The group for a value, for all other values, or for no value. */
export type GroupRow =
  | { readonly kind: "value"; readonly group: Group; readonly value: string }
  | { readonly kind: "others" | "none"; readonly group: Group };

/** Returns the rows in the order of the table. The rows for other values and for no value are omitted if they are empty. */
export function rowsOf(groups: Groups): GroupRow[] {
  const rest: GroupRow[] = [
    { kind: "others", group: groups.others },
    { kind: "none", group: groups.none },
  ];
  return [
    ...groups.data.map((group): GroupRow => ({ kind: "value", group, value: group.value })),
    ...rest.filter(({ group }) => group.events || group.before),
  ];
}

/** Returns the buckets with the events of all rows. */
export function bucketsOf(groups: Groups, rows: readonly GroupRow[]): Bucket[] {
  return groups.buckets.map((bucket, index) => ({
    ...bucket,
    events: rows.reduce((sum, { group }) => sum + (group.counts[index] ?? 0), 0),
  }));
}

/** Returns the query narrowed to the events of a row, or null if no query can express that. `parameter` is the name of the field. */
export function narrowed(query: string, parameter: string, row: GroupRow): string | null {
  const found = row.group.query;
  if (found === null) return null;
  const value = row.kind === "value" ? row.value : null;
  if (row.kind !== "others" && found === formatTerm(parameter, value)) {
    return withPicks(query, parameter, { included: [value], excluded: [] });
  }
  return (splitAlternatives(found)[0] ?? []).reduce(withTerm, query);
}

/** Returns the indices of the rows with the most events in a bucket, most first. */
export function mostIn(rows: readonly GroupRow[], bucket: number, count: number): number[] {
  const events = (index: number): number => rows[index]?.group.counts[bucket] ?? 0;
  const found = rows.map((_, index) => index).filter((index) => events(index) > 0);
  return found.sort((left, right) => events(right) - events(left)).slice(0, count);
}
