/** Makes untrusted text safe to display, so that no character is invisible or changes the direction of the line. */

/** Control, direction and zero-width characters. Joiners stay, since emoji and some scripts need them. */
const INVISIBLE = /[\p{Cc}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const PLAIN = /^[\x20-\x7e]*$/;
const SYMBOLS: Record<string, string> = { "\n": "↵", "\t": "⇥" };

/** Returns one line with symbols in place of invisible characters. With `lines`, line breaks and tabs are kept. */
export function visible(text: string, lines = false): string {
  if (PLAIN.test(text)) return text;
  return text.replace(INVISIBLE, (character) => (lines && (character === "\n" || character === "\t") ? character : symbolFor(character)));
}

/** Truncates to `length` characters, ending in "…". */
export function truncate(text: string, length: number): string {
  if (text.length <= length) return text;
  let end = length - 1;
  if (/[\ud800-\udbff]/.test(text[end - 1] as string)) end -= 1; // never splits a surrogate pair
  return `${text.slice(0, end)}…`;
}

/** Splits off the last `length` characters, or one fewer in order not to split a surrogate pair. */
export function splitTail(text: string, length: number): [string, string] {
  let at = Math.max(0, text.length - length);
  if (at && /[\udc00-\udfff]/.test(text[at] as string)) at += 1; // never splits a surrogate pair
  return [text.slice(0, at), text.slice(at)];
}

/** Returns up to two initials of a name or an ID, or "" if it has no letters or digits. */
export function initialsOf(name: string): string {
  const words = name.split(/[\s._@-]+/).filter((word) => /^[\p{L}\p{N}]/u.test(word));
  const chosen = name.includes("@") ? words.slice(0, 1) : [words[0], words.length > 1 ? words.at(-1) : undefined];
  return chosen.map((word) => [...(word ?? "")][0] ?? "").join("").toUpperCase();
}

function symbolFor(character: string): string {
  const code = character.codePointAt(0) as number;
  if (SYMBOLS[character]) return SYMBOLS[character];
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
