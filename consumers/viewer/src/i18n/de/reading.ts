import type { Texts } from "../en/index.js";

export const reading: Texts["reading"] = {};
