/** Finds the term at the caret of a query, and applies suggestions to it. */
import { colonIndex, escapeName, quoteValue, unescapeText } from "./query.js";

export interface CaretTerm {
  readonly kind: "field" | "value";
  /** The offsets of the whole term, including a leading `-`, in UTF-16 units. */
  readonly begin: number;
  readonly end: number;
  /** The offset where a suggestion is inserted: after the `-`, or after the colon. */
  readonly start: number;
  /** The text up to the caret, without quotes and escapes. */
  readonly typed: string;
  /** For a value, its field and the comparison operator before it. */
  readonly field: string;
  readonly operator: string;
  readonly negated: boolean;
}

/** Returns the term at the caret. Returns null within a phrase, where nothing can be suggested. */
export function caretTermAt(text: string, caret: number): CaretTerm | null {
  const begin = termBegin(text, caret);
  let start = begin;
  while (text[start] === "-" && start < caret) start += 1;
  const end = termEnd(text, start);
  const negated = start > begin;
  const term = text.slice(start, end);
  if (term.startsWith('"') && caret > start) return null;
  const colon = colonIndex(term);
  if (colon < 0 || caret <= start + colon) {
    return { kind: "field", begin, end, start, typed: unescapeText(text.slice(start, caret)), field: "", operator: "", negated };
  }
  const operator = /^(?:>=|<=|>|<)/.exec(term.slice(colon + 1))?.[0] ?? "";
  const from = start + colon + 1;
  const typed = unescapeText(text.slice(Math.min(from + operator.length, caret), caret).replace(/^"/, ""));
  return { kind: "value", begin, end, start: from, typed, field: unescapeText(term.slice(0, colon)), operator, negated };
}

const PLAIN_WORDS = /(?<![^\s(])(?:[^\s()":\\-][^\s()":\\]* +)+[^\s()":\\-][^\s()":\\]*$/;
const MAX_WORDS = 6;
const MAX_LENGTH = 500; // maximum number of characters searched for words

/**
 * Returns each run of plain words that ends at the caret as one term, from the longest down to two words. `caretTermAt`
 * returns only the last word.
 */
export function caretPhrasesAt(text: string, caret: number): CaretTerm[] {
  const [words] = PLAIN_WORDS.exec(text.slice(Math.max(0, caret - MAX_LENGTH), caret)) ?? [];
  if (!words || /\b(?:AND|OR|NOT)\b/.test(words)) return [];
  const starts = [...words.matchAll(/\S+/g)].map((word) => word.index).slice(-MAX_WORDS, -1);
  const end = termEnd(text, caret);
  return starts.map((start) => {
    const begin = caret - words.length + start;
    return { kind: "field", begin, end, start: begin, typed: text.slice(begin, caret), field: "", operator: "", negated: false };
  });
}

/** A new text and caret. */
export type Edit = readonly [text: string, caret: number];

/** Inserts the name of a field, keeping the text after its colon. */
export function withField(text: string, caretTerm: CaretTerm, parameter: string): Edit {
  const term = text.slice(caretTerm.start, caretTerm.end);
  const colon = colonIndex(term);
  const rest = colon < 0 ? "" : term.slice(colon + 1);
  const head = `${text.slice(0, caretTerm.start)}${escapeName(parameter)}:`;
  return [`${head}${rest}${text.slice(caretTerm.end)}`, head.length];
}

/** Inserts the beginning of a field name, such as `metadata.`. */
export function withBeginning(text: string, caretTerm: CaretTerm, beginning: string): Edit {
  const head = text.slice(0, caretTerm.start) + beginning;
  return [head + text.slice(caretTerm.end), head.length];
}

/** Inserts a value and a space. Null means "has no value". */
export function withValue(text: string, caretTerm: CaretTerm, value: string | null): Edit {
  if (value === null) return withTermAt(text, caretTerm, `${caretTerm.negated ? "" : "-"}${escapeName(caretTerm.field)}:*`);
  return replaceSpan(text, caretTerm.start, caretTerm.end, caretTerm.operator + quoteValue(value));
}

/** Inserts a value without quoting it, such as `log*` or `*`. */
export function withRaw(text: string, caretTerm: CaretTerm, raw: string): Edit {
  return replaceSpan(text, caretTerm.start, caretTerm.end, raw);
}

/** Inserts a comparison operator, after which the user types the value. */
export function withOperator(text: string, caretTerm: CaretTerm, operator: string): Edit {
  const head = text.slice(0, caretTerm.start) + operator;
  return [head + text.slice(caretTerm.end), head.length];
}

/** Replaces the whole term. */
export function withTermAt(text: string, caretTerm: CaretTerm, term: string): Edit {
  return replaceSpan(text, caretTerm.begin, caretTerm.end, term);
}

/** Returns the query without the term at the caret. The values of that term are counted under this query. */
export function withoutTermAt(text: string, caretTerm: CaretTerm): string {
  return `${text.slice(0, caretTerm.begin)} ${text.slice(caretTerm.end)}`.trim();
}

function replaceSpan(text: string, start: number, end: number, inserted: string): Edit {
  const before = text.slice(0, start) + inserted;
  const after = text.slice(end);
  const space = after === "" ? " " : "";
  return [before + space + after, before.length + space.length];
}

function termBegin(text: string, caret: number): number {
  let begin = 0;
  let quoted = false;
  for (let index = 0; index < caret; index++) {
    const character = text[index] as string;
    if (character === "\\") index += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && /[\s()]/.test(character)) begin = index + 1;
  }
  return Math.min(begin, caret);
}

function termEnd(text: string, start: number): number {
  let quoted = false;
  for (let index = start; index < text.length; index++) {
    const character = text[index] as string;
    if (character === "\\") index += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && /[\s()]/.test(character)) return index;
  }
  return text.length;
}
