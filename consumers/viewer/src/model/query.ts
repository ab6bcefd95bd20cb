/** Adds terms to the text of a query and removes them. Only the service interprets queries. */

const BARE = /^[\p{L}\p{N}_@/+.][\p{L}\p{N}_@/+.:-]*$/u;
/** Characters escaped outside quotes. */
export const SPECIAL = /[^\p{L}\p{N}_@/+.]/gu;

/** Excludes auditlane's own events and test events. */
export const EXCLUDE_OWN_EVENTS = "-source:auditlane -source:auditlane-test";

/** auditlane's own tenant, whose log contains only events of auditlane. */
export const OWN_TENANT = "_auditlane";

/** Formats `field:value`, with a leading `-` if negated. A null or empty value means that the field has no value. */
export function formatTerm(parameter: string, value: string | null, negated = false): string {
  const name = escapeName(parameter);
  if (value === null || value === "") return `${negated ? "" : "-"}${name}:*`;
  return `${negated ? "-" : ""}${name}:${quoteValue(value)}`;
}

/** Escapes a field's name for use before the colon. */
export function escapeName(parameter: string): string {
  return parameter.replace(SPECIAL, (found) => `\\${found}`);
}

/** Quotes a value for use after the colon if necessary. */
export function quoteValue(value: string): string {
  if (BARE.test(value) && !value.includes("..")) return value;
  return `"${value.replace(/["\\]/g, (found) => `\\${found}`)}"`;
}

/** Formats `field:*text*` or `field:text*`, for values that contain the text or begin with it. */
export function wildcardTerm(parameter: string, text: string, where: "within" | "first"): string {
  return `${escapeName(parameter)}:${where === "within" ? "*" : ""}${text.replace(SPECIAL, (found) => `\\${found}`)}*`;
}

/** Adds a term to the query. Alternatives are bracketed, so that the term applies to all of them. */
export function withTerm(query: string, added: string): string {
  const present = splitAlternatives(query);
  if (present.length > 1) return `(${query.trim()}) ${added}`;
  if (present[0]?.includes(added)) return query;
  return joinAlternatives([[...(present[0] ?? []), added]]);
}

/** Removes a term from the top level of the query. */
export function withoutTerm(query: string, removed: string): string {
  let found = false;
  const left = splitAlternatives(query).map((terms) => {
    const index = found ? -1 : terms.indexOf(removed);
    if (index < 0) return terms;
    found = true;
    return terms.toSpliced(index, 1);
  });
  return found ? joinAlternatives(left) : query;
}

/** Splits the query at each top-level `OR` into lists of terms. `NOT` stays with its term. */
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

/** Splits a query into terms, whole brackets, and the words OR, AND, NOT. */
export function splitTerms(query: string): string[] {
  const found: string[] = [];
  let current = "";
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < query.length; index++) {
    const character = query[index] as string;
    if (character === "\\") {
      current += character + (query[++index] ?? "");
      continue;
    }
    if (character === '"') quoted = !quoted;
    else if (!quoted && character === "(") depth += 1;
    else if (!quoted && character === ")") depth -= 1;
    if (!quoted && depth <= 0 && /\s/.test(character)) {
      if (current) found.push(current);
      current = "";
    } else current += character;
  }
  return current ? [...found, current] : found;
}

/** A parsed term. `value` has no quotes or escapes. In `like`, `*` matches anything. */
export type ParsedTerm =
  | { readonly kind: "word"; readonly negated: boolean; readonly value: string }
  | { readonly kind: "group"; readonly negated: boolean; readonly value: string }
  | {
      readonly kind: "is" | "any" | "like" | ">" | ">=" | "<" | "<=";
      readonly negated: boolean;
      readonly parameter: string;
      readonly value: string;
    };

/** Parses one term of `splitAlternatives`. */
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

/** Returns the index of the colon after a field's name, or -1 in a word or a phrase. */
export function colonIndex(text: string): number {
  if (text.startsWith('"')) return -1;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === "\\") index += 1;
    else if (text[index] === ":") return index;
  }
  return -1;
}

export function unescapeText(text: string): string {
  return text.replace(/\\(.)/gs, "$1");
}

function unquote(text: string): string {
  return unescapeText(text.startsWith('"') ? text.replace(/^"|"$/g, "") : text);
}
