/** The query's text: terms put into it and taken out, as clicks on rows and chips do. Its meaning is the service's. */

const BARE = /^[\p{L}\p{N}_@/+.][\p{L}\p{N}_@/+.:-]*$/u;
/** What is escaped where it stands outside of quotes. */
export const SPECIAL = /[^\p{L}\p{N}_@/+.]/gu;

/** Events that somebody sends, as opposed to what auditlane records of itself and to a test. */
export const EXCLUDE_OWN_EVENTS = "-source:auditlane -source:auditlane-test";

/** `field:value`, with `-` before it when negated; no value means that the field has none. */
export function formatTerm(parameter: string, value: string | null, negated = false): string {
  const name = escapeName(parameter);
  if (value === null || value === "") return `${negated ? "" : "-"}${name}:*`;
  return `${negated ? "-" : ""}${name}:${quoteValue(value)}`;
}

/** A field's name as it is written before the colon. */
export function escapeName(parameter: string): string {
  return parameter.replace(SPECIAL, (found) => `\\${found}`);
}

/** A value as it is written after the colon: in quotes where it would mean something else without them. */
export function quoteValue(value: string): string {
  if (BARE.test(value) && !value.includes("..")) return value;
  return `"${value.replace(/["\\]/g, (found) => `\\${found}`)}"`;
}

/** `field:*text*` or `field:text*`: values that have this in them, or begin so. */
export function wildcardTerm(parameter: string, text: string, where: "within" | "first"): string {
  return `${escapeName(parameter)}:${where === "within" ? "*" : ""}${text.replace(SPECIAL, (found) => `\\${found}`)}*`;
}

/** The query with this term as well; a query with alternatives is bracketed, so that the term holds for all of them. */
export function withTerm(query: string, added: string): string {
  const present = splitAlternatives(query);
  if (present.length > 1) return `(${query.trim()}) ${added}`;
  if (present[0]?.includes(added)) return query;
  return joinAlternatives([[...(present[0] ?? []), added]]);
}

/** The query without this term of its top level. */
export function withoutTerm(query: string, taken: string): string {
  let found = false;
  const left = splitAlternatives(query).map((terms) => {
    const place = found ? -1 : terms.indexOf(taken);
    if (place < 0) return terms;
    found = true;
    return terms.toSpliced(place, 1);
  });
  return found ? joinAlternatives(left) : query;
}

/** The query's terms by what `OR` divides at its top level; `NOT` stays with its term. */
export function splitAlternatives(query: string): string[][] {
  const found: string[][] = [[]];
  let not = "";
  for (const token of splitTerms(query)) {
    if (token === "OR") found.push([]);
    else if (token === "NOT") not += "NOT ";
    else if (token !== "AND") {
      found.at(-1)?.push(not + token);
      not = "";
    }
  }
  return found.filter((terms) => terms.length);
}

function joinAlternatives(alternatives: readonly (readonly string[])[]): string {
  return alternatives
    .filter((terms) => terms.length)
    .map((terms) => terms.join(" "))
    .join(" OR ");
}

/** What stands side by side in a query: terms, brackets with all that is in them, and the words OR, AND, NOT. */
export function splitTerms(query: string): string[] {
  const found: string[] = [];
  let current = "";
  let depth = 0;
  let quoted = false;
  for (let place = 0; place < query.length; place++) {
    const sign = query[place] as string;
    if (sign === "\\") {
      current += sign + (query[++place] ?? "");
      continue;
    }
    if (sign === '"') quoted = !quoted;
    else if (!quoted && sign === "(") depth += 1;
    else if (!quoted && sign === ")") depth -= 1;
    if (!quoted && depth <= 0 && /\s/.test(sign)) {
      if (current) found.push(current);
      current = "";
    } else current += sign;
  }
  return current ? [...found, current] : found;
}

/** What a term says. `value` is without quotes and escapes; of `like` it has a `*` where anything may be. */
export type ParsedTerm =
  | { readonly kind: "word"; readonly negated: boolean; readonly value: string }
  | { readonly kind: "group"; readonly negated: boolean; readonly value: string }
  | {
      readonly kind: "is" | "any" | "like" | ">" | ">=" | "<" | "<=";
      readonly negated: boolean;
      readonly parameter: string;
      readonly value: string;
    };

/** Reads one term of `alternativesOf`. */
export function parseTerm(text: string): ParsedTerm {
  let rest = text;
  let negated = false;
  for (let mark = /^(?:-(?=\S)|NOT\s+)/.exec(rest); mark; mark = /^(?:-(?=\S)|NOT\s+)/.exec(rest)) {
    rest = rest.slice(mark[0].length);
    negated = !negated;
  }
  if (rest.startsWith("(")) return { kind: "group", negated, value: rest };
  const colon = colonIndex(rest);
  if (colon < 0) return { kind: "word", negated, value: unquote(rest) };
  const parameter = unescapeText(rest.slice(0, colon));
  const raw = rest.slice(colon + 1);
  const operator = /^(?:>=|<=|>|<)/.exec(raw)?.[0] as ">" | undefined;
  if (operator) return { kind: operator, negated, parameter, value: unquote(raw.slice(operator.length)) };
  if (raw === "*") return { kind: "any", negated, parameter, value: "" };
  const wild = !raw.startsWith('"') && raw.replace(/\\./gs, "").includes("*");
  return { kind: wild ? "like" : "is", negated, parameter, value: unquote(raw) };
}

/** Where the colon after a field's name is; -1 in a word or a phrase. */
export function colonIndex(text: string): number {
  if (text.startsWith('"')) return -1;
  for (let place = 0; place < text.length; place++) {
    if (text[place] === "\\") place += 1;
    else if (text[place] === ":") return place;
  }
  return -1;
}

export function unescapeText(text: string): string {
  return text.replace(/\\(.)/gs, "$1");
}

function unquote(text: string): string {
  return unescapeText(text.startsWith('"') ? text.replace(/^"|"$/g, "") : text);
}
