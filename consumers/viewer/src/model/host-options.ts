/** What the host page chooses for its readers. A reader's own choice of columns and row height takes precedence. */
import { addressParams, ALL_TIME, invalidRangeIn, parseRange, type Range } from "./range.js";

export const HIDEABLE = ["title", "search", "tiles", "histogram", "refresh", "live", "columns", "copy-link", "save-view", "views", "download", "settings"] as const;
export type Hideable = (typeof HIDEABLE)[number];
export type Density = "comfortable" | "compact";

export interface HostOptions {
  /** The names of the columns, in order; null for the tenant's choice. */
  columns: string[] | null;
  density: Density;
  /** What is not rendered, and sends no requests. */
  hidden: ReadonlySet<Hideable>;
  /** A BCP 47 tag for dates and numbers; "" for the reader's variant of the language. */
  locale: string;
  /** Replacements of interface texts, by path: `states.heading`. */
  texts: Readonly<Record<string, string>>;
}

export const NO_OPTIONS: HostOptions = { columns: null, density: "comfortable", hidden: new Set(), locale: "", texts: {} };

/** The attributes as the host wrote them. */
export interface HostAttributes {
  columns: string;
  density: string;
  hide: string;
  locale: string;
  texts: unknown;
}

/** Parses the attributes. Invalid ones have no effect, and are described in `mistakes`, for the browser's console. */
export function parseOptions(given: HostAttributes): { options: HostOptions; mistakes: string[] } {
  const mistakes: string[] = [];
  const columns = names(given.columns);
  const hide = names(given.hide);
  const unknown = hide.filter((name) => !isHideable(name));
  if (unknown.length) mistakes.push(`hide: there is no ${unknown.join(", ")}. Use: ${HIDEABLE.join(", ")}.`);
  const compact = given.density === "compact";
  if (!compact && given.density !== "" && given.density !== "comfortable") {
    mistakes.push(`density: "${given.density}" is unknown. Use: comfortable, compact.`);
  }
  const locale = isLocale(given.locale) ? given.locale : "";
  if (given.locale !== locale) mistakes.push(`locale: "${given.locale}" is not a BCP 47 tag. Write it as en-GB.`);
  const texts = Object.entries({ ...(given.texts as object | null) }).filter((pair): pair is [string, string] => typeof pair[1] === "string");
  const options: HostOptions = {
    columns: columns.length ? columns : null,
    density: compact ? "compact" : "comfortable",
    hidden: new Set(hide.filter(isHideable)),
    locale,
    texts: Object.fromEntries(texts),
  };
  return { options, mistakes };
}

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

/**
 * Returns the texts with replacements by path, and the paths that do not lead to a text. Texts that depend on values are
 * functions, and stay as they are.
 */
export function replaceTexts<T extends object>(texts: T, replacements: Readonly<Record<string, string>>): { texts: T; unknown: string[] } {
  const unknown: string[] = [];
  let replaced = texts;
  for (const [path, text] of Object.entries(replacements)) {
    const next = replaceText(replaced, path.split("."), text);
    if (next) replaced = next as T;
    else unknown.push(path);
  }
  return { texts: replaced, unknown };
}

function replaceText(texts: object, [name, ...rest]: string[], text: string): object | null {
  if (name === undefined || !Object.hasOwn(texts, name)) return null;
  const present = (texts as Record<string, unknown>)[name];
  if (!rest.length) return typeof present === "string" ? { ...texts, [name]: text } : null;
  const inner = typeof present === "object" && present !== null ? replaceText(present, rest, text) : null;
  return inner && { ...texts, [name]: inner };
}

function names(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

function isHideable(name: string): name is Hideable {
  return (HIDEABLE as readonly string[]).includes(name);
}

function isLocale(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}
