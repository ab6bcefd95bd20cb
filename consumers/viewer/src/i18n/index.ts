/** The interface languages. English is bundled; others are loaded on demand. */
import { en, type Texts } from "./en/index.js";

export const LANGUAGES = ["en", "de"] as const;
export type Language = (typeof LANGUAGES)[number];

/** The writing direction of each language, set independently of the page. In an Arabic page, "1 sec. ago" would otherwise be reversed. */
export const DIRECTIONS: Record<Language, "ltr" | "rtl"> = { en: "ltr", de: "ltr" };

/** Returns the first available language among the preferences (BCP 47 tags), or English. */
export function languageOf(...preferences: readonly (string | null | undefined)[]): Language {
  const subtags = preferences.map((tag) => tag?.toLowerCase().split("-")[0]);
  return subtags.find((subtag): subtag is Language => (LANGUAGES as readonly (string | undefined)[]).includes(subtag)) ?? "en";
}

/** Loads a language's texts. Falls back to English if the file is missing, for example after a new build. */
export async function textsOf(language: Language): Promise<Texts> {
  if (language !== "de") return en;
  return import("./de/index.js").then((loaded) => loaded.de, () => en);
}
