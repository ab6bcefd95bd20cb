/** Texts for saved views in each language. Kept out of the catalogues because few readers need them at first. */
import { views as de } from "./de/views.js";
import { views as en } from "./en/views.js";
import type { Language } from "./index.js";

export type ViewTexts = typeof en;

export const viewTexts: Record<Language, ViewTexts> = { en, de };
