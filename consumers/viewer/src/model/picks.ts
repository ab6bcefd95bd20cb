/** Reads and changes the values of a field that a query includes or excludes, for the checkbox list. */
import { formatTerm, parseTerm, splitAlternatives, withoutTerm, withTerm } from "./query.js";

/** null means "has no value". */
export type Value = string | null;

export interface Picks {
  /** Any of these values, or every value if the list is empty. */
  readonly included: readonly Value[];
  readonly excluded: readonly Value[];
}

/** Reads the picks for a field from the top level of the query. Wildcards and ranges are not picks. */
export function parsePicks(query: string, parameter: string): Picks {
  const included: Value[] = [];
  const excluded: Value[] = [];
  for (const found of pickTerms(query, parameter)) {
    included.push(...found.included);
    excluded.push(...found.excluded);
  }
  return { included, excluded };
}

/** Returns the query with a value included, excluded or neither. */
export function withPick(query: string, parameter: string, value: Value, as: "only" | "not" | null): string {
  const before = parsePicks(query, parameter);
  const included = before.included.filter((picked) => picked !== value);
  const excluded = before.excluded.filter((picked) => picked !== value);
  if (as === "only") included.push(value);
  if (as === "not") excluded.push(value);
  return withPicks(query, parameter, { included, excluded });
}

/** Returns the query with exactly these picks for the field. */
export function withPicks(query: string, parameter: string, { included, excluded }: Picks): string {
  let result = withoutPicks(query, parameter);
  const terms = included.map((value) => formatTerm(parameter, value));
  if (terms.length) result = withTerm(result, terms.length > 1 ? `(${terms.join(" OR ")})` : (terms[0] as string));
  for (const value of excluded) result = withTerm(result, formatTerm(parameter, value, true));
  return result;
}

/** Returns the query without the picks for the field. The field's values are counted under this query, so that others can be picked. */
export function withoutPicks(query: string, parameter: string): string {
  return pickTerms(query, parameter).reduce((left, found) => withoutTerm(left, found.text), bracketed(query, parameter));
}

/** Brackets a query that consists only of alternatives for this field, that is, of one pick with several values. */
function bracketed(query: string, parameter: string): string {
  if (splitAlternatives(query).length < 2) return query;
  const bracketed = `(${query.trim()})`;
  return parsePickGroup(bracketed, parameter) ? bracketed : query;
}

function pickTerms(query: string, parameter: string): (Picks & { text: string })[] {
  const alternatives = splitAlternatives(bracketed(query, parameter));
  if (alternatives.length !== 1) return []; // among alternatives, a term does not apply to the whole query
  return (alternatives[0] as string[]).flatMap((text) => {
    const picks = parseSinglePick(text, parameter) ?? parsePickGroup(text, parameter);
    return picks ? [{ ...picks, text }] : [];
  });
}

function parseSinglePick(text: string, parameter: string): Picks | null {
  const parsed = parseTerm(text);
  if (parsed.kind !== "is" && parsed.kind !== "any") return null;
  if (parsed.parameter !== parameter && `fields.${parsed.parameter}` !== parameter) return null;
  if (parsed.kind === "any") return parsed.negated ? { included: [null], excluded: [] } : { included: [], excluded: [null] };
  return parsed.negated ? { included: [], excluded: [parsed.value] } : { included: [parsed.value], excluded: [] };
}

function parsePickGroup(text: string, parameter: string): Picks | null {
  const parsed = parseTerm(text);
  if (parsed.kind !== "group" || parsed.negated || !parsed.value.endsWith(")")) return null;
  const included: Value[] = [];
  for (const terms of splitAlternatives(parsed.value.slice(1, -1))) {
    const picks = terms.length === 1 ? parseSinglePick(terms[0] as string, parameter) : null;
    if (!picks || picks.excluded.length) return null;
    included.push(...picks.included);
  }
  return { included, excluded: [] };
}
