/** Options that the host page sets for its readers. A reader's own choice of columns and row height takes precedence. */
import type { AuditEvent } from "../api/types.js";
import { addressParams, ALL_TIME, invalidRangeIn, parseRange, type Range } from "./range.js";

export type Density = "comfortable" | "compact";

/** What the host renders: text, which is never interpreted as HTML, or a node. Null or undefined leaves it to the viewer. */
export type Rendered = Node | string | null | undefined;
export type CellRenderer = (field: string, value: string | null, event: AuditEvent) => Rendered;
export type HeadingRenderer = (event: AuditEvent) => Rendered;

export interface HostOptions {
  /** The names of the columns, in order. Null means the tenant's choice. */
  columns: string[] | null;
  density: Density;
  /** Parts that are not rendered and send no requests. */
  hidden: ReadonlySet<string>;
  /** A BCP 47 tag for dates and numbers, or "" for the reader's variant of the language. */
  locale: string;
  /** Replacements of interface texts, by path such as `states.heading`. */
  texts: Readonly<Record<string, string>>;
  /** Renders cells of the table. It never throws. */
  renderCell: CellRenderer | null;
  /** Renders the heading of an event's details. It never throws. */
  renderHeading: HeadingRenderer | null;
}

export const NO_OPTIONS: HostOptions = {
  columns: null,
  density: "comfortable",
  hidden: new Set(),
  locale: "",
  texts: {},
  renderCell: null,
  renderHeading: null,
};

/** Parses a preset (`7d`), or `FROM..TO` with RFC 3339 times. Either time may be empty. Returns null for an invalid range. */
export function parseHostRange(text: string): Range | null {
  if (!text) return ALL_TIME;
  const [from, to] = text.split("..");
  const given = new URLSearchParams(to === undefined ? { range: text } : { from: from ?? "", to });
  return invalidRangeIn(given) ? null : parseRange(given);
}

/** Formats a range so that `parseHostRange` can parse it. */
export function hostRange(range: Range): string {
  if (range.kind === "custom") return `${range.from}..${range.to}`;
  return addressParams(range)[0]?.[1] ?? "";
}
