/** Texts for the settings together with all others. Kept out of the catalogues because few readers open the settings. */
import type { Texts } from "./en/index.js";
import { settings } from "./en/settings.js";
import { type Language, textsOf } from "./index.js";

export type SettingsTexts = Texts & { settings: typeof settings };

/** Loads all texts of a language. Falls back to English, as `textsOf` does. */
export async function settingsTextsOf(language: Language): Promise<SettingsTexts> {
  const own = language === "de" ? import("./de/settings.js").then((loaded) => loaded.settings, () => settings) : settings;
  const [texts, words] = await Promise.all([textsOf(language), own]);
  return { ...texts, settings: words };
}
