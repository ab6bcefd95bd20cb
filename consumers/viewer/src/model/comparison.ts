/** Compares a number with that of the preceding period of equal length. */
import { endsOf, type Range } from "./range.js";

/** `share` is relative to the earlier number. */
export type Change =
  | { readonly kind: "added" | "vanished" | "unchanged" }
  | { readonly kind: "difference"; readonly count: number; readonly share: number };

export function changeOf(before: number, now: number): Change {
  if (before === now) return { kind: "unchanged" };
  if (!before) return { kind: "added" };
  if (!now) return { kind: "vanished" };
  return { kind: "difference", count: now - before, share: (now - before) / before };
}

/** Returns whether a period precedes the range. `now` is in ms. */
export function isComparable(range: Range, now: number): boolean {
  const [from, to] = endsOf(range, now);
  return from !== null && from < (to ?? now);
}
