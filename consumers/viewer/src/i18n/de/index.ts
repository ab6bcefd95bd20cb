import type { Texts } from "../en/index.js";
import { download } from "./download.js";
import { groups } from "./groups.js";
import { mistakes } from "./mistakes.js";
import { reading } from "./reading.js";
import { search } from "./search.js";
import { states } from "./states.js";

export const de: Texts = { download, groups, mistakes, reading, search, states };
