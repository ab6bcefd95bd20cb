import type { SearchProgressTexts } from "../search-progress.js";

export const searchProgress: SearchProgressTexts = {
  paused: (time) => `Bis ${time} durchsucht und nichts weiter gefunden.`,
  searching: (time) => `Suche läuft. Bis ${time} nichts weiter gefunden.`,
  further: "Weitersuchen",
};
