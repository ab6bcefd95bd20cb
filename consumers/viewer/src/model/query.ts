/** The query's text: terms put into it and taken out, as clicks on rows and chips do. Its meaning is the service's. */

const BARE = /^[\p{L}\p{N}_@/+.][\p{L}\p{N}_@/+.:-]*$/u;
const SPECIAL = /[^\p{L}\p{N}_@/+.]/gu;

/** `field:value`, with `-` before it when negated; no value means that the field has none. */
export function term(parameter: string, value: string | null, negated = false): string {
  const name = parameter.replace(SPECIAL, (found) => `\\${found}`);
  if (value === null || value === "") return `${negated ? "" : "-"}${name}:*`;
  const bare = BARE.test(value) && !value.includes("..");
  const said = bare ? value : `"${value.replace(/["\\]/g, (found) => `\\${found}`)}"`;
  return `${negated ? "-" : ""}${name}:${said}`;
}

/** The query with this term as well; a query with alternatives is bracketed, so that the term holds for all of them. */
export function withTerm(query: string, added: string): string {
  const present = termsOf(query);
  if (present.includes(added)) return query;
  if (present.includes("OR")) return `(${query.trim()}) ${added}`;
  return [...present, added].join(" ");
}

/** The query without this term of its top level. */
export function withoutTerm(query: string, taken: string): string {
  const present = termsOf(query);
  const place = present.indexOf(taken);
  if (place < 0) return query;
  return [...present.slice(0, place), ...present.slice(place + 1)].join(" ");
}

/** What stands side by side in a query: terms, brackets with all that is in them, and the words OR, AND, NOT. */
export function termsOf(query: string): string[] {
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
