/** Fields, terms and numbers in the reader's words. */
import type { ShownField } from "../api/types.js";
import type { Texts } from "../i18n/en/index.js";
import { localeOf as kindOf } from "../model/format/locale.js";
import { visible } from "../model/format/text.js";
import { ownValue } from "../model/own-property.js";
import { splitAlternatives, type ParsedTerm, parseTerm } from "../model/query.js";
import type { ViewerState } from "./viewer-state.js";

/** The reader's own kind of the viewer's language (en-GB), for dates and numbers. */
export function localeOf(viewer: ViewerState): string {
  return kindOf(viewer.language);
}

export function numberOf(viewer: ViewerState, value: number): string {
  return new Intl.NumberFormat(localeOf(viewer), value >= 100_000 ? { notation: "compact", maximumFractionDigits: 1 } : {}).format(
    value,
  );
}

/** What the tenant calls a field; the name itself of one that is not in its structure. */
export function fieldName(viewer: ViewerState, parameter: string): string {
  const known = viewer.fields.find((field) => named(field, parameter));
  if (known) return known.displayName;
  return ownValue(viewer.text.search.fields, parameter) ?? parameter.replace(/^(?:metadata|fields)\./, "");
}

function named(field: ShownField, parameter: string): boolean {
  return field.parameter === parameter || (field.custom && field.name === parameter);
}

/** A value as the table says it: outcomes and severities in the reader's language. */
export function valueName(viewer: ViewerState, parameter: string, value: string): string {
  const { outcome, severity, provenance } = viewer.text.reading;
  const words = ownValue<Record<string, string>>({ outcome, severity, provenance }, parameter) ?? {};
  return ownValue(words, value) ?? visible(value);
}

/** A term of the query as a sentence: "Action is not login". */
export function sentence(viewer: ViewerState, term: string): string {
  return visible(worded(viewer, term));
}

function worded(viewer: ViewerState, term: string): string {
  const said = parseTerm(term);
  const words: Texts["search"]["terms"] = viewer.text.search.terms;
  if (said.kind === "word") return words.contains(said.value, said.negated);
  if (said.kind === "group") return words.group(inside(viewer, said), said.negated);
  const field = fieldName(viewer, said.parameter);
  if (said.kind === "any") return words.any(field, said.negated);
  if (said.kind === "like") {
    const [, before, text, after] = /^(\*?)([^*]+)(\*?)$/.exec(said.value) ?? [];
    if (text && before && after) return words.within(field, text, said.negated);
    if (text && before) return words.ends(field, text, said.negated);
    if (text && after) return words.begins(field, text, said.negated);
  }
  return words[said.kind](field, valueName(viewer, said.parameter, said.value), said.negated);
}

function inside(viewer: ViewerState, said: ParsedTerm): string {
  const alone = /^\((?:\\.|"(?:\\.|[^"\\])*"|[^()"\\])*\)$/s.test(said.value);
  return alone ? alternatives(viewer, said.value.slice(1, -1)) : said.value;
}

function alternatives(viewer: ViewerState, query: string): string {
  const either = splitAlternatives(query).map((terms) => terms.map((one) => sentence(viewer, one)).join(viewer.text.search.terms.and));
  return either.join(viewer.text.search.terms.or);
}
