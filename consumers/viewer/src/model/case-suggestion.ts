/** Terms that would match if capitals did not count, and how the log writes what they ask for. */
import type { Count } from "../api/types.js";
import { splitAlternatives, colonIndex, parseTerm, SPECIAL, unescapeText, quoteValue } from "./query.js";

export interface CaseSensitiveTerm {
  readonly text: string;
  readonly parameter: string;
  /** What it asks for, in pieces; "*" is anything. */
  readonly pieces: readonly string[];
  /** The query with a word in this term's place, which matches whatever the capitals. */
  readonly probeQuery: string;
}

export interface CaseSuggestion {
  /** The term as the log writes it. */
  readonly text: string;
  readonly events: number;
}

/** The terms of a query that ask for a text with letters in it: those that capitals can keep from matching. */
export function caseSensitiveTerms(query: string, isText: (parameter: string) => boolean): CaseSensitiveTerm[] {
  return splitAlternatives(query)
    .flat()
    .flatMap((text) => {
      const said = parseTerm(text);
      if (said.negated || (said.kind !== "is" && said.kind !== "like") || !isText(said.parameter)) return [];
      const pieces = said.kind === "is" ? [said.value] : piecesOf(text.slice(colonIndex(text) + 1));
      const longest = pieces.reduce((one, other) => (other !== "*" && other.length > one.length ? other : one), "");
      if (longest.toLowerCase() === longest.toUpperCase()) return [];
      return [{ text, parameter: said.parameter, pieces, probeQuery: replaceTerm(query, text, quote(longest)) }];
    });
}

/** The term in the letters of the most frequent value that it matches but for its capitals; null when there is none. */
export function suggestCase(term: CaseSensitiveTerm, values: readonly Count[]): CaseSuggestion | null {
  for (const { value } of values) {
    const written = value === null ? null : matchPieces(term.pieces, value, "iu");
    if (!written) continue;
    const raw = term.pieces.includes("*") ? written.map((piece) => (piece === "*" ? "*" : escapeSpecial(piece))).join("") : quoteValue(written[0] as string);
    const events = values.reduce((sum, count) => sum + (count.value !== null && matchPieces(written, count.value, "u") ? count.events : 0), 0);
    return { text: term.text.slice(0, colonIndex(term.text) + 1) + raw, events };
  }
  return null;
}

/** The query with another term in this one's place. */
export function replaceTerm(query: string, term: string, by: string): string {
  return splitAlternatives(query)
    .map((terms) => terms.map((one) => (one === term ? by : one)).join(" "))
    .join(" OR ");
}

function piecesOf(raw: string): string[] {
  return (raw.match(/(?:\\.|[^\\*])+|\*/gsu) ?? []).map((piece) => (piece === "*" ? piece : unescapeText(piece)));
}

/**
 * The pieces as they stand in the whole value; null when it does not match. Piece by piece, each in the first place where
 * it fits: one expression with several ".*" could take longer than anyone waits.
 */
function matchPieces(pieces: readonly string[], value: string, flags: string): string[] | null {
  const written: string[] = [];
  let at = 0;
  let loose = false; // whether anything may stand before the next piece
  for (const [place, piece] of pieces.entries()) {
    if (piece !== "*") {
      const literal = new RegExp(piece.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), flags + (loose ? "g" : "y"));
      const last = place === pieces.length - 1;
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
