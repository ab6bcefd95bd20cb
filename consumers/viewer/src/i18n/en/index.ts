/** Every text that people see, by the part that shows it. Other languages have the same names, which the compiler holds. */
import { download } from "./download.js";
import { mistakes } from "./mistakes.js";
import { reading } from "./reading.js";
import { search } from "./search.js";
import { settings } from "./settings.js";
import { states } from "./states.js";

export const en = { download, mistakes, reading, search, settings, states };

export type Texts = typeof en;
