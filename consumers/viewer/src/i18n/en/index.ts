/**
 * All interface texts except those of the settings, grouped by the part that shows them. Other languages have the same
 * keys, which the compiler enforces.
 */
import { download } from "./download.js";
import { groups } from "./groups.js";
import { mistakes } from "./mistakes.js";
import { reading } from "./reading.js";
import { search } from "./search.js";
import { states } from "./states.js";

export const en = { download, groups, mistakes, reading, search, states };

export type Texts = typeof en;
