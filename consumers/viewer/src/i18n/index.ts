/** The languages. English is bundled; others are loaded on demand. */
import { en, type Texts } from "./en/index.js";

export const LANGUAGES = ["en", "de"] as const;
export type Language = (typeof LANGUAGES)[number];

/** The writing direction of each language, independent of the page: "1 sec. ago" would read backwards in a page in Arabic. */
export const DIRECTIONS: Record<Language, "ltr" | "rtl"> = { en: "ltr", de: "ltr" };

/** Returns the first available language among the preferences (BCP 47 tags), else English. */
export function languageOf(...wishes: readonly (string | null | undefined)[]): Language {
  const known = wishes.map((wish) => wish?.toLowerCase().split("-")[0]);
  return LANGUAGES.find((one) => one === known.find((wish) => (LANGUAGES as readonly (string | undefined)[]).includes(wish))) ?? "en";
}

/** Loads the texts of a language; falls back to English when that fails, as after a new build. */
export async function textsOf(language: Language): Promise<Texts> {
  if (language !== "de") return en;
  return import("./de/index.js").then((loaded) => loaded.de, () => en);
}
