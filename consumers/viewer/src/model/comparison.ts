/** The comparison of a number with that of the period before, which has the same length. */
import { endsOf, type Range } from "./range.js";

/** `share` is relative to the number before. */
export type Change =
  | { readonly kind: "added" | "vanished" | "unchanged" }
  | { readonly kind: "difference"; readonly count: number; readonly share: number };

export function changeOf(before: number, now: number): Change {
  if (before === now) return { kind: "unchanged" };
  if (!before) return { kind: "added" };
  if (!now) return { kind: "vanished" };
  return { kind: "difference", count: now - before, share: (now - before) / before };
}

/** Returns whether there is a period before a range. `now` is in ms. */
export function isComparable(range: Range, now: number): boolean {
  const [from, to] = endsOf(range, now);
  return from !== null && from < (to ?? now);
}
