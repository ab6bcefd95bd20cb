/** Text that somebody else wrote, made harmless to look at: no sign is invisible, none turns the line around. */

/** Controls, turns of direction, and signs without width. Joiners stay: emoji and scripts are made with them. */
const ODD = /[\p{Cc}\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const PLAIN = /^[\x20-\x7e]*$/;
const NAMED: Record<string, string> = { "\n": "↵", "\t": "⇥" };

/** In one line, with signs in place of what would not be seen. `lines` keeps breaks and tabs. */
export function visible(text: string, lines = false): string {
  if (PLAIN.test(text)) return text;
  return text.replace(ODD, (sign) => (lines && (sign === "\n" || sign === "\t") ? sign : shown(sign)));
}

/** Cut to so many signs, the last of which is then "…". */
export function truncate(text: string, most: number): string {
  if (text.length <= most) return text;
  let end = most - 1;
  if (/[\ud800-\udbff]/.test(text[end - 1] as string)) end -= 1; // no half of a pair
  return `${text.slice(0, end)}…`;
}

/** In two: the second are the last signs, so many or one less than that. */
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
