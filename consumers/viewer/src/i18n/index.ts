/** The languages. English is at hand; another is loaded when it is asked for. */
import { en, type Texts } from "./en/index.js";

export const LANGUAGES = ["en", "de"] as const;
export type Language = (typeof LANGUAGES)[number];

/** How a language is written, whatever the page around does: "1 sec. ago" would read backwards in a page in Arabic. */
export const DIRECTIONS: Record<Language, "ltr" | "rtl"> = { en: "ltr", de: "ltr" };

/** The first of these wishes (BCP 47 tags) that there is; English otherwise. */
export function languageOf(...wishes: readonly (string | null | undefined)[]): Language {
  const known = wishes.map((wish) => wish?.toLowerCase().split("-")[0]);
  return LANGUAGES.find((one) => one === known.find((wish) => (LANGUAGES as readonly (string | undefined)[]).includes(wish))) ?? "en";
}

/** The texts of a language; English where they cannot be had, as after a new build under an open page. */
export async function textsOf(language: Language): Promise<Texts> {
  if (language !== "de") return en;
  return import("./de/index.js").then((loaded) => loaded.de, () => en);
}
