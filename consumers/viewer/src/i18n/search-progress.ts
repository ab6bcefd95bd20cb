/** Texts for a long search in each language. Kept out of the catalogues because few readers need them at first. */
import { searchProgress as de } from "./de/search-progress.js";
import { searchProgress as en } from "./en/search-progress.js";
import type { Language } from "./index.js";

export type SearchProgressTexts = typeof en;

export const searchProgressTexts: Record<Language, SearchProgressTexts> = { en, de };
