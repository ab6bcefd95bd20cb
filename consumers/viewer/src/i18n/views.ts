/** Each language's texts for saved views, apart from the catalogues, since few readers need them at first. */
import { views as de } from "./de/views.js";
import { views as en } from "./en/views.js";
import type { Language } from "./index.js";

export type ViewTexts = typeof en;

export const viewTexts: Record<Language, ViewTexts> = { en, de };
