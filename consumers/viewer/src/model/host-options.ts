/** What the host page chooses for its readers. A reader's own choice of columns and row height takes precedence. */
import { addressParams, ALL_TIME, invalidRangeIn, parseRange, type Range } from "./range.js";

export type Density = "comfortable" | "compact";

export interface HostOptions {
  /** The names of the columns, in order; null for the tenant's choice. */
  columns: string[] | null;
  density: Density;
  /** What is not rendered, and sends no requests. */
  hidden: ReadonlySet<string>;
  /** A BCP 47 tag for dates and numbers; "" for the reader's variant of the language. */
  locale: string;
  /** Replacements of interface texts, by path: `states.heading`. */
  texts: Readonly<Record<string, string>>;
}

export const NO_OPTIONS: HostOptions = { columns: null, density: "comfortable", hidden: new Set(), locale: "", texts: {} };

/** Parses a preset (`7d`), or `FROM..TO` with RFC 3339 times, either of which may be empty. Returns null for an invalid range. */
export function parseHostRange(text: string): Range | null {
  if (!text) return ALL_TIME;
  const [from, to] = text.split("..");
  const given = new URLSearchParams(to === undefined ? { range: text } : { from: from ?? "", to });
  return invalidRangeIn(given) ? null : parseRange(given);
}

/** Writes a range as `parseHostRange` reads it. */
export function hostRange(range: Range): string {
  if (range.kind === "custom") return `${range.from}..${range.to}`;
  return addressParams(range)[0]?.[1] ?? "";
}
