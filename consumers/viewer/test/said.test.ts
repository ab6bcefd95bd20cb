import { describe, expect, it } from "vitest";

import type { Deed, Field, Revision, Structure } from "../src/api/structure.js";
import { settings as words } from "../src/i18n/en/settings.js";
import { changesSaid, clashSaid, labelOf, revisionSaid } from "../src/model/structure/said.js";

const inherited = { displayName: "IP address", displayType: "IpAddress", showInTable: true, sortable: false, order: 6 };
const structure = {
  tenant: "acme",
  fields: [
    { name: "ip", ...inherited, inherited } as unknown as Field,
    { name: "actor", displayName: "Who", inherited: null } as unknown as Field,
  ],
  removed: [{ name: "old", displayName: "Old", inherited: null } as unknown as Field],
} as unknown as Structure;

function revision(...changes: Deed[]): Revision {
  return { revision: 3, changedBy: "jane", changedAt: null, changes };
}

describe("history in words", () => {
  it.each<[Deed[], string[]]>([
    [[], ["The rules or the default of a field"]],
    [[{ deed: "switched", field: null, values: { enabled: [null, false] } }], ["Switched the log off"]],
    [[{ deed: "switched", field: null, values: { enabled: [false, true] } }], ["Switched the log on"]],
    [[{ deed: "switched", field: null, values: { enabled: [false, null] } }], ["The switch follows the default again"]],
    [[{ deed: "added", field: "actor", values: { displayName: [null, "Who"], order: [null, 18] } }], ["Who: added"]],
    [[{ deed: "removed", field: "old", values: { hidden: [null, true], order: [1, 2] } }], ["Old: removed"]],
    [[{ deed: "restored", field: "actor", values: {} }], ["Who: restored"]],
    [[{ deed: "reset", field: "ip", values: { order: [3, null] } }], ["IP address: as inherited again"]],
    [
      [{ deed: "added", field: "ip", values: { displayName: [null, "From"], showInTable: [null, false], sortable: [null, false], order: [null, 6] } }],
      ["IP address: renamed from “IP address” to “From” and no column of the table"],
    ],
    [
      [
        { deed: "changed", field: "ip", values: { order: [6, -1] } },
        { deed: "changed", field: "actor", values: { order: [1, 9], sortable: [false, true] } },
        { deed: "changed", field: "gone", values: { displayType: ["AlphaNumeric", "Email"] } },
      ],
      ["Who: can be sorted by", "gone: shown as E-mail address", "Order changed: Who"],
    ],
    [
      [
        { deed: "changed", field: "a", values: { order: [2, 1] } },
        { deed: "changed", field: "b", values: { order: [3, 2] } },
        { deed: "added", field: "ip", values: { order: [null, 9] } },
        { deed: "changed", field: "c", values: { order: [7, 8] } },
      ],
      ["Order changed: IP address"],
    ],
  ])("%o", (deeds, lines) => expect(revisionSaid(revision(...deeds), structure, words)).toEqual(lines));
});

describe("unsaved changes in words", () => {
  it("are a line each, and one for all that moved", () => {
    const lines = changesSaid(
      [
        { name: "ip", what: "place", was: 1, now: 0 },
        { name: "ip", what: "filterable", was: true, now: false },
        { name: "actor", what: "place", was: 0, now: 5 },
        { name: "actor", what: "follows", was: 1, now: 2 },
      ],
      structure,
      words,
    );
    expect(lines).toEqual([
      "IP address: not offered as a filter",
      "Who: takes its usual place again",
      "Order changed: IP address and Who",
    ]);
  });

  it("tell what both changed", () => {
    expect(clashSaid({ name: "ip", what: "displayName", mine: "A", theirs: "B" }, structure, words)).toBe(
      "IP address, name: yours is “A”, theirs is “B”",
    );
    expect(clashSaid({ name: "ip", what: "showInTable", mine: true, theirs: false }, structure, words)).toContain("yours is Yes, theirs is No");
    expect(clashSaid({ name: "ip", what: "place", mine: 0, theirs: 4 }, structure, words)).toContain("place 1, theirs is place 5");
    expect(labelOf(structure, "nowhere")).toBe("nowhere");
  });
});
