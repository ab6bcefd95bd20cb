import type { Texts } from "../en/index.js";

export const download: Texts["download"] = {};
