/**
 * Finds query terms that match nothing because of their case, or because they are only part of a value, and suggests
 * terms that match.
 */
import type { Count } from "../api/types.js";
import { colonIndex, parseTerm, quoteValue, SPECIAL, splitAlternatives, unescapeText } from "./query.js";

export interface ExactTerm {
  readonly text: string;
  readonly parameter: string;
  /** The pieces of the value. "*" matches anything. */
  readonly pieces: readonly string[];
  /** The query with a plain word in place of this term, since words match case-insensitively. */
  readonly probeQuery: string;
}

export interface NearMiss {
  /** The term that matches. */
  readonly text: string;
  readonly events: number;
}

/** Returns the terms with a text value that contains letters. `isText` decides whether a field contains text. */
export function exactTerms(query: string, isText: (parameter: string) => boolean): ExactTerm[] {
  return splitAlternatives(query)
    .flat()
    .flatMap((text) => {
      const parsed = parseTerm(text);
      if (parsed.negated || (parsed.kind !== "is" && parsed.kind !== "like") || !isText(parsed.parameter)) return [];
      const pieces = parsed.kind === "is" ? [parsed.value] : piecesOf(text.slice(colonIndex(text) + 1));
      const longest = pieces.reduce((one, other) => (other !== "*" && other.length > one.length ? other : one), "");
      if (longest.toLowerCase() === longest.toUpperCase()) return [];
      return [{ text, parameter: parsed.parameter, pieces, probeQuery: replaceTerm(query, text, quote(longest)) }];
    });
}

/**
 * Returns the nearest term to this one that matches some of the values, or null if none is similar.
 *
 * Case is ignored. Values that equal the term take precedence, then those that begin with it, then those that contain
 * it. The returned term is spelled as in the most frequent of these values.
 */
export function suggestNearMiss(term: ExactTerm, values: readonly Count[]): NearMiss | null {
  const begins = term.pieces.at(-1) === "*" ? term.pieces : [...term.pieces, "*"];
  const contains = begins[0] === "*" ? begins : ["*", ...begins];
  for (const pieces of [term.pieces, begins, contains]) {
    for (const { value } of values) {
      const written = value === null ? null : matchPieces(pieces, value, "iu");
      if (!written) continue;
      const wildcard = written.map((piece) => (piece === "*" ? "*" : escapeSpecial(piece))).join("");
      const raw = pieces.includes("*") ? wildcard : quoteValue(written[0] as string);
      const events = values.reduce((sum, count) => sum + (count.value !== null && matchPieces(written, count.value, "u") ? count.events : 0), 0);
      return { text: term.text.slice(0, colonIndex(term.text) + 1) + raw, events };
    }
  }
  return null;
}

/** Replaces a term of the query. */
export function replaceTerm(query: string, term: string, by: string): string {
  return splitAlternatives(query)
    .map((terms) => terms.map((current) => (current === term ? by : current)).join(" "))
    .join(" OR ");
}

function piecesOf(raw: string): string[] {
  return (raw.match(/(?:\\.|[^\\*])+|\*/gsu) ?? []).map((piece) => (piece === "*" ? piece : unescapeText(piece)));
}

/**
 * Returns the pieces as they occur in the value, or null unless the whole value matches.
 *
 * Each piece is matched at the first possible position. A regular expression with several ".*" could backtrack for a
 * very long time.
 */
function matchPieces(pieces: readonly string[], value: string, flags: string): string[] | null {
  const written: string[] = [];
  let at = 0;
  let loose = false; // whether any text may come before the next piece
  for (const [index, piece] of pieces.entries()) {
    if (piece !== "*") {
      const literal = new RegExp(piece.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), flags + (loose ? "g" : "y"));
      const last = index === pieces.length - 1;
      literal.lastIndex = loose && last ? Math.max(at, value.length - piece.length) : at;
      const match = literal.exec(value);
      if (!match) return null;
      at = match.index + match[0].length;
      written.push(match[0]);
    } else written.push(piece);
    loose = piece === "*";
  }
  return loose || at === value.length ? written : null;
}

function escapeSpecial(text: string): string {
  return text.replace(SPECIAL, (found) => `\\${found}`);
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, (found) => `\\${found}`)}"`;
}
