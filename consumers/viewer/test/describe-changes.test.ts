import { describe, expect, it } from "vitest";

import type { Field, Revision, RevisionChange, Structure } from "../src/api/structure.js";
import { settingsTextsOf } from "../src/i18n/settings.js";
import { fieldLabel, storedName } from "../src/model/labels.js";
import { describeChanges, describeConflict, describeRevision, labelByName } from "../src/model/structure/describe-changes.js";

const [en, de] = await Promise.all([settingsTextsOf("en"), settingsTextsOf("de")]);
const inherited = { displayName: "IP address", displayType: "IpAddress", showInTable: true, sortable: false, order: 6 };
const structure = {
  tenant: "acme",
  fields: [
    { name: "ip", ...inherited, inherited } as unknown as Field,
    { name: "actor", displayName: "Who", inherited: null } as unknown as Field,
  ],
  removed: [{ name: "old", displayName: "Old", inherited: null } as unknown as Field],
} as unknown as Structure;

function revision(changes: RevisionChange[], sequence: Revision["sequence"] = null, labels: Record<string, string> = {}): Revision {
  return { revision: 3, changedBy: "jane", changedAt: null, changes, sequence, labels: { ip: "IP address", actor: "Who", old: "Old", ...labels } };
}

describe("a described revision", () => {
  it.each<[RevisionChange[], string[]]>([
    [[], ["Rules or default value of a field changed"]],
    [[{ kind: "switched", field: null, values: { enabled: [null, false] } }], ["Log switched off"]],
    [
      [
        { kind: "added", field: null, action: "a.paid", values: { en: [null, "Paid"], de: [null, "Bezahlt"] } },
        { kind: "changed", field: null, action: "a.sent", values: { de: ["Weg", "Gesendet"] } },
        { kind: "removed", field: null, action: "a.lost", values: { en: ["Lost", null], de: ["Verloren", null] } },
      ],
      ["Action a.paid labelled “Paid” and “Bezahlt”", "Action a.sent labelled “Gesendet”", "Labels for action a.lost removed"],
    ],
    [[{ kind: "switched", field: null, values: { enabled: [false, true] } }], ["Log switched on"]],
    [[{ kind: "switched", field: null, values: { enabled: [false, null] } }], ["Log reset to the default for all tenants"]],
    [[{ kind: "added", field: "actor", values: { displayName: [null, "Who"], order: [null, 18] } }], ["Who: added"]],
    [[{ kind: "removed", field: "old", values: { hidden: [null, true], order: [1, 2] } }], ["Old: removed"]],
    [[{ kind: "restored", field: "actor", values: {} }], ["Who: restored"]],
    [[{ kind: "reset", field: "ip", values: { order: [3, null] } }], ["IP address: reset to the default"]],
    [
      [{ kind: "changed", field: "ip", values: { displayName: ["Address", "IP address"], showInTable: [true, false] } }],
      ["IP address: renamed from “Address” to “IP address” and hidden from the table"],
    ],
    [
      [
        { kind: "changed", field: "ip", values: { order: [6, 7] } },
        { kind: "changed", field: "gone", values: { displayType: ["AlphaNumeric", "Email"] } },
      ],
      ["gone: displayed as Email address", "Order changed: IP address"],
    ],
  ])("%o", (changes, lines) => expect(describeRevision(revision(changes), structure, en)).toEqual(lines));

  it("names the moved fields, independent of which have another number", () => {
    const was = ["time", "actor", "action", "resource", "outcome", "severity", "ip"];
    const now = ["time", "outcome", "actor", "severity", "action", "resource", "ip"];
    const room: RevisionChange[] = [
      { kind: "changed", field: "resource", values: { order: [3, 5] } },
      { kind: "changed", field: "action", values: { order: [2, 4] } },
    ];
    const labels = { outcome: "Outcome", severity: "Severity" };
    expect(describeRevision(revision(room, [was, now], labels), structure, en)).toEqual(["Order changed: Outcome and Severity"]);
    for (const field of ["action", "resource"]) {
      const swapped: RevisionChange = { kind: "changed", field, values: { order: [2, 3] } };
      const lines = describeRevision(revision([swapped], [["action", "resource"], ["resource", "action"]]), structure, en);
      expect(lines).toEqual([`Order changed: ${field}`]);
    }
    const reset: RevisionChange = { kind: "reset", field: "ip", values: { order: [9, 6] } };
    expect(describeRevision(revision([reset], [["ip", "a"], ["a", "ip"]]), structure, en)).toEqual(["IP address: reset to the default"]);
  });
});

describe("described changes", () => {
  it("have a line each, and one for all that moved", () => {
    const lines = describeChanges(
      [
        { name: "ip", attribute: "place", before: 1, after: 0 },
        { name: "ip", attribute: "filterable", before: true, after: false },
        { name: "actor", attribute: "place", before: 0, after: 5 },
        { name: "actor", attribute: "follows", before: 1, after: 2 },
      ],
      structure,
      en,
    );
    expect(lines).toEqual([
      "IP address: not available as a filter",
      "Who: back in its default position",
      "Order changed: IP address and Who",
    ]);
  });

  it("include attributes that both users changed", () => {
    expect(describeConflict({ name: "ip", attribute: "displayName", mine: "A", theirs: "B" }, structure, en)).toBe(
      "IP address, name: yours is “A”, theirs is “B”",
    );
    expect(describeConflict({ name: "ip", attribute: "showInTable", mine: true, theirs: false }, structure, en)).toContain("yours is Yes, theirs is No");
    expect(describeConflict({ name: "ip", attribute: "place", mine: 0, theirs: 4 }, structure, en)).toContain("position 1, theirs is position 5");
    expect(labelByName(structure, "nowhere", en)).toBe("nowhere");
  });
});

describe("names", () => {
  const renamed = (field: string, was: string, now: string): RevisionChange => ({ kind: "changed", field, values: { displayName: [was, now] } });

  it("are those of that time, followed by the current ones", () => {
    const described = (changes: RevisionChange[], labels: Record<string, string>, sequence: Revision["sequence"] = null): string[] =>
      describeRevision(revision(changes, sequence, labels), structure, en);
    const shown: RevisionChange = { kind: "changed", field: "ip", values: { sortable: [false, true] } };
    expect(described([renamed("actor", "Doer", "Who")], {})).toEqual(["Who: renamed from “Doer” to “Who”"]);
    expect(described([shown], { ip: "From" })).toEqual(["From (now “IP address”): sortable"]);
    expect(described([renamed("actor", "Person", "Doer")], { actor: "Doer" })).toEqual([
      "Doer (now “Who”): renamed from “Person” to “Doer”",
    ]);
    expect(described([], { actor: "Doer", ip: "From" }, [["actor", "x", "ip"], ["x", "ip", "actor"]])).toEqual([
      "Order changed: Doer (now “Who”)",
    ]);
    for (const field of ["ip", "actor"]) {
      const renumbered: RevisionChange = { kind: "changed", field, values: { order: [1, 5] } };
      const label = field === "ip" ? "IP address" : "Who";
      expect(described([renumbered], {}, [["ip", "actor"], ["actor", "ip"]])).toEqual([`Order changed: ${label}`]);
    }
    expect(describeRevision(revision([shown], null, { ip: "From" }), structure, de)[0]).toContain("From (jetzt „IP-Adresse“)");
    expect(describeRevision(revision([shown]), structure, de)[0]).toMatch(/^IP-Adresse: /);
  });

  it("are translated unless the field has a custom name", () => {
    expect(labelByName(structure, "ip", de)).toBe("IP-Adresse");
    expect(labelByName(structure, "actor", de)).toBe("Who");
    expect(describeRevision(revision([renamed("ip", "IP address", "Herkunft")]), structure, de)).toEqual([
      "IP-Adresse: von „IP-Adresse“ in „Herkunft“ umbenannt",
    ]);
    expect(describeConflict({ name: "ip", attribute: "displayName", mine: "IP address", theirs: "Wo" }, structure, de)).toContain("„IP-Adresse“");
    const named = { name: "ip", displayName: "Address" };
    expect(fieldLabel(named, de)).toBe("Address");
    expect(storedName("ip", "IP-Adresse", de)).toBe("IP address");
    expect(storedName("ip", "IP-Adresse ", de)).toBe("IP address");
    expect(storedName("ip", "IP", de)).toBe("IP");
    expect(storedName("order_no", "IP-Adresse", de)).toBe("IP-Adresse");
  });
});
