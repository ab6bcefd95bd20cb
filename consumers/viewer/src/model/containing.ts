/** Finds what several values of a field have in common, so that one term can find them all. */
import type { Count } from "../api/types.js";

export interface Containing {
  /** The text as the values spell it, since terms of a field are case-sensitive. */
  readonly text: string;
  /** The number of values that contain it, and the number of their events. Null if not all values are known. */
  readonly values: number | null;
  readonly events: number | null;
}

/**
 * Returns the text that several of the values contain, or null if at most one value does.
 *
 * The text is spelled as in the most frequent value that contains it ignoring case. `complete` means that these are all
 * values.
 */
export function containing(counts: readonly Count[], typed: string, complete: boolean): Containing | null {
  const wanted = typed.toLowerCase();
  if (!wanted || wanted.includes("*")) return null;
  const most = counts.find(({ value }) => value?.toLowerCase().includes(wanted))?.value ?? "";
  const start = most.toLowerCase().indexOf(wanted);
  const text = most.slice(start, start + typed.length);
  if (text.toLowerCase() !== wanted) return null; // not contained, or its length changes in lower case
  const found = counts.filter(({ value }) => value?.includes(text));
  if (found.length < 2) return null;
  return { text, values: complete ? found.length : null, events: complete ? found.reduce((sum, { events }) => sum + events, 0) : null };
}
