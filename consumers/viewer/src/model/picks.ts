/** Values of one field that a query asks for or leaves out, as a list with boxes to tick shows and changes them. */
import { alternativesOf, saidOf, term, withTerm, withoutTerm } from "./query.js";

/** null is "has no value". */
export type Value = string | null;

export interface Picks {
  /** Any of these, or whatever when it is empty. */
  readonly only: readonly Value[];
  readonly not: readonly Value[];
}

/** What the query's top level says of a field's values; what it says otherwise (wildcards, ranges) is no pick. */
export function picksOf(query: string, parameter: string): Picks {
  const only: Value[] = [];
  const not: Value[] = [];
  for (const found of termsAbout(query, parameter)) {
    only.push(...found.only);
    not.push(...found.not);
  }
  return { only, not };
}

/** The query in which this value is asked for too, is left out, or neither. */
export function pick(query: string, parameter: string, value: Value, as: "only" | "not" | null): string {
  const before = picksOf(query, parameter);
  const only = before.only.filter((one) => one !== value);
  const not = before.not.filter((one) => one !== value);
  if (as === "only") only.push(value);
  if (as === "not") not.push(value);
  return picked(query, parameter, { only, not });
}

/** The query with these picks of the field and no others. */
export function picked(query: string, parameter: string, { only, not }: Picks): string {
  let made = withoutPicks(query, parameter);
  const wanted = only.map((value) => term(parameter, value));
  if (wanted.length) made = withTerm(made, wanted.length > 1 ? `(${wanted.join(" OR ")})` : (wanted[0] as string));
  for (const value of not) made = withTerm(made, term(parameter, value, true));
  return made;
}

/** The query without the field's picks: under which its values are to be counted, so that others can be picked too. */
export function withoutPicks(query: string, parameter: string): string {
  return termsAbout(query, parameter).reduce((left, found) => withoutTerm(left, found.text), whole(query, parameter));
}

/** A query that is nothing but alternatives of this field is one pick of several values. */
function whole(query: string, parameter: string): string {
  if (alternativesOf(query).length < 2) return query;
  const bracketed = `(${query.trim()})`;
  return anyOf(bracketed, parameter) ? bracketed : query;
}

function termsAbout(query: string, parameter: string): (Picks & { text: string })[] {
  const alternatives = alternativesOf(whole(query, parameter));
  if (alternatives.length !== 1) return []; // beside alternatives a term does not hold for the whole
  return (alternatives[0] as string[]).flatMap((text) => {
    const one = simple(text, parameter) ?? anyOf(text, parameter);
    return one ? [{ ...one, text }] : [];
  });
}

function simple(text: string, parameter: string): Picks | null {
  const said = saidOf(text);
  if (said.kind !== "is" && said.kind !== "any") return null;
  if (said.parameter !== parameter && `fields.${said.parameter}` !== parameter) return null;
  if (said.kind === "any") return said.negated ? { only: [null], not: [] } : { only: [], not: [null] };
  return said.negated ? { only: [], not: [said.value] } : { only: [said.value], not: [] };
}

function anyOf(text: string, parameter: string): Picks | null {
  const said = saidOf(text);
  if (said.kind !== "group" || said.negated || !said.value.endsWith(")")) return null;
  const only: Value[] = [];
  for (const terms of alternativesOf(said.value.slice(1, -1))) {
    const one = terms.length === 1 ? simple(terms[0] as string, parameter) : null;
    if (!one || one.not.length) return null;
    only.push(...one.only);
  }
  return { only, not: [] };
}
