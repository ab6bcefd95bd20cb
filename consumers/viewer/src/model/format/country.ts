/** Country names in the reader's language, and flags. */

export interface Country {
  name: string;
  /** An emoji. Systems without flags show the two letters of the country instead. */
  flag: string;
}

const FLAG_A = 0x1f1e6; // regional indicator A
const names = new Map<string, Intl.DisplayNames>();

/** Returns the country for an ISO 3166-1 code, or null if the code is invalid or missing. `language` is BCP 47. */
export function countryOf(code: string | null | undefined, language: string): Country | null {
  if (!code || !/^[A-Z]{2}$/.test(code)) return null;
  let found = names.get(language);
  if (!found) names.set(language, (found = new Intl.DisplayNames(language, { type: "region" })));
  const flag = String.fromCodePoint(...[...code].map((letter) => FLAG_A + letter.charCodeAt(0) - 65));
  return { name: found.of(code) ?? code, flag };
}
