/** Formats fields, values, terms and numbers in the reader's language. */
import type { ShownField } from "../api/types.js";
import type { Texts } from "../i18n/en/index.js";
import { type Change, changeOf } from "../model/comparison.js";
import { parseInterval } from "../model/bars.js";
import { localeOf as regionalLocale } from "../model/format/locale.js";
import { visible } from "../model/format/text.js";
import { ownValue } from "../model/own-property.js";
import { type ParsedTerm, parseTerm, splitAlternatives } from "../model/query.js";
import type { ViewerState } from "./viewer-state.js";

/** Returns the locale for dates and numbers: the host's, or else the reader's variant of the viewer's language (en-GB). */
export function localeOf(viewer: ViewerState): string {
  return viewer.host.locale || regionalLocale(viewer.language);
}

export function formatNumber(viewer: ViewerState, value: number): string {
  return new Intl.NumberFormat(localeOf(viewer), value >= 100_000 ? { notation: "compact", maximumFractionDigits: 1 } : {}).format(
    value,
  );
}

/** Describes how a number has changed since the preceding period, as "+12 (+4%)" or "new". */
export function describeChange(viewer: ViewerState, before: number, now: number): { kind: Change["kind"]; text: string } {
  const { groups } = viewer.text;
  const change = changeOf(before, now);
  if (change.kind !== "difference") return { kind: change.kind, text: groups[change.kind] };
  const format = (value: number, options: Intl.NumberFormatOptions): string =>
    new Intl.NumberFormat(localeOf(viewer), { signDisplay: "exceptZero", ...options }).format(value);
  const share = format(change.share, { style: "percent", maximumFractionDigits: Math.abs(change.share) < 0.1 ? 1 : 0 });
  return { kind: change.kind, text: groups.difference(format(change.count, {}), share) };
}

/** Describes the width of a histogram's buckets, an ISO 8601 duration, as "3 hours". */
export function describeInterval(viewer: ViewerState, interval: string): string {
  const { count, unit } = parseInterval(interval);
  return viewer.text.search.histogram.units[unit](count);
}

/** Returns the tenant's label for a field, or the name of a field that is not in its structure. */
export function fieldLabel(viewer: ViewerState, parameter: string): string {
  const known = viewer.fields.find((field) => hasParameter(field, parameter));
  if (known) return known.displayName;
  return ownValue(viewer.text.search.fields, parameter) ?? parameter.replace(/^(?:metadata|fields)\./, "");
}

function hasParameter(field: ShownField, parameter: string): boolean {
  return field.parameter === parameter || (field.custom && field.name === parameter);
}

/** Returns a value as the table shows it. Outcomes and severities are translated, and known actions are shown by their labels. */
export function valueLabel(viewer: ViewerState, parameter: string, value: string): string {
  if (parameter === "action") return viewer.actions.labelOf(value) ?? visible(value);
  const { outcome, severity, provenance } = viewer.text.reading;
  const words = ownValue<Record<string, string>>({ outcome, severity, provenance }, parameter) ?? {};
  return ownValue(words, value) ?? visible(value);
}

/** Describes a term of the query as a sentence, such as "Action is not login". */
export function describeTerm(viewer: ViewerState, term: string): string {
  return visible(describeParsed(viewer, term));
}

function describeParsed(viewer: ViewerState, term: string): string {
  const parsed = parseTerm(term);
  const words: Texts["search"]["terms"] = viewer.text.search.terms;
  if (parsed.kind === "word") return words.contains(parsed.value, parsed.negated);
  if (parsed.kind === "group") return words.group(describeGroup(viewer, parsed), parsed.negated);
  const field = fieldLabel(viewer, parsed.parameter);
  if (parsed.kind === "any") return words.any(field, parsed.negated);
  if (parsed.kind === "like") {
    const [, before, text, after] = /^(\*?)([^*]+)(\*?)$/.exec(parsed.value) ?? [];
    if (text && before && after) return words.within(field, text, parsed.negated);
    if (text && before) return words.ends(field, text, parsed.negated);
    if (text && after) return words.begins(field, text, parsed.negated);
  }
  return words[parsed.kind](field, valueLabel(viewer, parsed.parameter, parsed.value), parsed.negated);
}

function describeGroup(viewer: ViewerState, group: ParsedTerm): string {
  const alone = /^\((?:\\.|"(?:\\.|[^"\\])*"|[^()"\\])*\)$/s.test(group.value);
  return alone ? describeAlternatives(viewer, group.value.slice(1, -1)) : group.value;
}

function describeAlternatives(viewer: ViewerState, query: string): string {
  const words = viewer.text.search.terms;
  const alternatives = splitAlternatives(query).map((terms) => terms.map((term) => describeTerm(viewer, term)).join(words.and));
  return alternatives.join(words.or);
}
