import type { Texts } from "../en/index.js";

export const settings: Texts["settings"] = {};
