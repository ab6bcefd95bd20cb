/** Parses the host page's attributes. Loaded only if there are any. */
import { visible } from "./format/text.js";
import { type HostOptions, parseHostRange, type Rendered } from "./host-options.js";
import { PRESETS } from "./range.js";

export const HIDEABLE = ["title", "search", "tiles", "histogram", "refresh", "live", "columns", "copy-link", "save-view", "views", "download", "settings"] as const;

/** The attributes and functions as the host wrote them. */
export interface HostAttributes {
  columns: string;
  density: string;
  hide: string;
  locale: string;
  range: string;
  texts: unknown;
  renderCell: HostOptions["renderCell"];
  renderHeading: HostOptions["renderHeading"];
}

/** Parses the attributes, and reports invalid ones in the browser's console. */
export function readOptions(given: HostAttributes): HostOptions {
  const { options, mistakes } = parseOptions(given);
  for (const mistake of mistakes) console.warn(`auditlane: ${mistake}`);
  return options;
}

/** Returns the texts with the host's replacements applied. Replacements with an unknown path are reported in the console. */
export function withTexts<T extends object>(texts: T, replacements: Readonly<Record<string, string>>): T {
  const { texts: replaced, unknown } = replaceTexts(texts, replacements);
  if (unknown.length) console.warn(`auditlane: texts: no text has the path ${unknown.join(", ")}.`);
  return replaced;
}

/** Parses the attributes. Invalid ones have no effect and are described in `mistakes`, for the browser's console. */
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
  if (!parseHostRange(given.range)) mistakes.push(`range: "${given.range}" is not a range. Use ${PRESETS.join(", ")}, or FROM..TO.`);
  const texts = Object.entries({ ...(given.texts as object | null) }).filter((pair): pair is [string, string] => typeof pair[1] === "string");
  const options: HostOptions = {
    columns: columns.length ? columns : null,
    density: compact ? "compact" : "comfortable",
    hidden: new Set(hide.filter(isHideable)),
    locale,
    texts: Object.fromEntries(texts),
    renderCell: guarded("renderCell", given.renderCell),
    renderHeading: guarded("renderHeading", given.renderHeading),
  };
  return { options, mistakes };
}

/**
 * Makes a function of the host safe to call.
 *
 * Invisible characters in text that it returns are made visible. Anything other than text and nodes is an error. The
 * first error is reported in the browser's console, and after any error the viewer renders the value itself.
 */
function guarded<Given extends unknown[]>(name: string, render: ((...given: Given) => Rendered) | null): ((...given: Given) => Rendered) | null {
  if (!render) return null;
  let reported = false;
  return (...given) => {
    try {
      const rendered = render(...given);
      if (typeof rendered === "string") return visible(rendered);
      if (rendered === null || rendered === undefined || rendered instanceof Node) return rendered;
      throw new TypeError("Return text, a node or null.");
    } catch (cause) {
      if (!reported) console.error(`auditlane: ${name}:`, cause);
      reported = true;
      return null;
    }
  };
}

/**
 * Returns the texts with replacements by path, and the paths for which there is no text. Texts that depend on values
 * are functions, and are not replaced.
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

function isHideable(name: string): boolean {
  return (HIDEABLE as readonly string[]).includes(name);
}

function isLocale(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}
