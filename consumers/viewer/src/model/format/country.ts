/** Country names in the reader's language, and flags. */

export interface Country {
  name: string;
  /** An emoji; systems without flags show the country's two letters. */
  flag: string;
}

const FLAG_A = 0x1f1e6; // regional indicator A
const names = new Map<string, Intl.DisplayNames>();

/** Returns the country for an ISO 3166-1 code; null for an invalid or missing one. `language` is BCP 47. */
export function countryOf(code: string | null | undefined, language: string): Country | null {
  if (!code || !/^[A-Z]{2}$/.test(code)) return null;
  let found = names.get(language);
  if (!found) names.set(language, (found = new Intl.DisplayNames(language, { type: "region" })));
  const flag = String.fromCodePoint(...[...code].map((letter) => FLAG_A + letter.charCodeAt(0) - 65));
  return { name: found.of(code) ?? code, flag };
}
