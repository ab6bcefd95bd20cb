/** What is being typed at a place of the query, and the text with a suggestion put in there. */
import { colonIndex, escapeName, unescapeText, quoteValue } from "./query.js";

export interface CaretTerm {
  readonly kind: "field" | "value";
  /** Where the whole term begins, with its `-`, and ends; in UTF-16 units. */
  readonly begin: number;
  readonly end: number;
  /** Where what a suggestion replaces begins: after the `-`, or after the colon. */
  readonly start: number;
  /** What is there up to the caret, without quotes and escapes. */
  readonly typed: string;
  /** Of a value: its field, and the comparison before it. */
  readonly field: string;
  readonly operator: string;
  readonly negated: boolean;
}

/** What is being typed at the caret; null where nothing can be suggested: within a phrase. */
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

/** Text and caret. */
export type Edit = readonly [text: string, caret: number];

/** The text with a field's name; what was typed after its colon stays. */
export function withField(text: string, place: CaretTerm, parameter: string): Edit {
  const term = text.slice(place.start, place.end);
  const colon = colonIndex(term);
  const rest = colon < 0 ? "" : term.slice(colon + 1);
  const head = `${text.slice(0, place.start)}${escapeName(parameter)}:`;
  return [`${head}${rest}${text.slice(place.end)}`, head.length];
}

/** The beginning of a field's name, such as `metadata.`, to be gone on with. */
export function withBeginning(text: string, place: CaretTerm, beginning: string): Edit {
  const head = text.slice(0, place.start) + beginning;
  return [head + text.slice(place.end), head.length];
}

/** The text with this value, with a space to go on with; null is "has no value". */
export function withValue(text: string, place: CaretTerm, value: string | null): Edit {
  if (value === null) return withTermAt(text, place, `${place.negated ? "" : "-"}${escapeName(place.field)}:*`);
  return replaceSpan(text, place.start, place.end, place.operator + quoteValue(value));
}

/** The text with a value as it stands, such as `log*` or `*`. */
export function withRaw(text: string, place: CaretTerm, raw: string): Edit {
  return replaceSpan(text, place.start, place.end, raw);
}

/** The text with a comparison, whose value is typed next. */
export function withOperator(text: string, place: CaretTerm, operator: string): Edit {
  const head = text.slice(0, place.start) + operator;
  return [head + text.slice(place.end), head.length];
}

/** The text with another term in this one's place. */
export function withTermAt(text: string, place: CaretTerm, term: string): Edit {
  return replaceSpan(text, place.begin, place.end, term);
}

/** The query without the term that is being typed: under which its values are counted. */
export function withoutTermAt(text: string, place: CaretTerm): string {
  return `${text.slice(0, place.begin)} ${text.slice(place.end)}`.trim();
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
  for (let place = 0; place < caret; place++) {
    const sign = text[place] as string;
    if (sign === "\\") place += 1;
    else if (sign === '"') quoted = !quoted;
    else if (!quoted && /[\s()]/.test(sign)) begin = place + 1;
  }
  return Math.min(begin, caret);
}

function termEnd(text: string, start: number): number {
  let quoted = false;
  for (let place = start; place < text.length; place++) {
    const sign = text[place] as string;
    if (sign === "\\") place += 1;
    else if (sign === '"') quoted = !quoted;
    else if (!quoted && /[\s()]/.test(sign)) return place;
  }
  return text.length;
}
