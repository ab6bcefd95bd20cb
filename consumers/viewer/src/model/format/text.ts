/** Makes foreign text safe to display: no character is invisible or changes the direction of the line. */

/** Control, direction and zero-width characters. Joiners stay, since emoji and scripts need them. */
const ODD = /[\p{Cc}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const PLAIN = /^[\x20-\x7e]*$/;
const NAMED: Record<string, string> = { "\n": "↵", "\t": "⇥" };

/** Returns one line with symbols in place of invisible characters. `lines` keeps line breaks and tabs. */
export function visible(text: string, lines = false): string {
  if (PLAIN.test(text)) return text;
  return text.replace(ODD, (sign) => (lines && (sign === "\n" || sign === "\t") ? sign : shown(sign)));
}

/** Truncates to `most` characters, ending in "…". */
export function truncate(text: string, most: number): string {
  if (text.length <= most) return text;
  let end = most - 1;
  if (/[\ud800-\udbff]/.test(text[end - 1] as string)) end -= 1; // no half of a pair
  return `${text.slice(0, end)}…`;
}

/** Splits off the last `last` characters, or one less to keep a surrogate pair whole. */
export function splitTail(text: string, last: number): [string, string] {
  let at = Math.max(0, text.length - last);
  if (at && /[\udc00-\udfff]/.test(text[at] as string)) at += 1; // no half of a pair
  return [text.slice(0, at), text.slice(at)];
}

function shown(sign: string): string {
  const code = sign.codePointAt(0) as number;
  if (NAMED[sign]) return NAMED[sign];
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
