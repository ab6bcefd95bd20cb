import type { Texts } from "../en/index.js";

export const search: Texts["search"] = {};
