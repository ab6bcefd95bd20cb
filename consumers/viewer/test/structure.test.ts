import { describe, expect, it } from "vitest";

import type { Field, FieldView, Structure } from "../src/api/structure.js";
import {
  changesOf,
  draftOf,
  fieldsToSave,
  isOverridden,
  moveField,
  resetField,
  setField,
  withoutField,
} from "../src/model/structure/draft.js";
import { rebase, rebaseUnsaved, remoteChanges } from "../src/model/structure/merge.js";
import { assignOrders, movedFields } from "../src/model/structure/order.js";

function view(name: string, order: number, given: Partial<FieldView> = {}): FieldView {
  return {
    displayName: name.toUpperCase(),
    displayType: "AlphaNumeric",
    sortable: false,
    filterable: true,
    showInTable: true,
    showInMoreInfo: true,
    downloadable: true,
    order,
    ...given,
  };
}

function field(name: string, order: number, given: Partial<FieldView> = {}, inherited: FieldView | null = view(name, order)): Field {
  return { ...view(name, order, given), name, custom: !inherited, parameter: name, origin: inherited ? "default" : "tenant", inherited };
}

function structure(fields: Field[], given: Partial<Structure> = {}): Structure {
  return {
    tenant: "acme",
    revision: 1,
    enabled: null,
    effectiveEnabled: true,
    inheritedEnabled: true,
    removed: [],
    changedBy: "",
    changedAt: null,
    fields,
    ...given,
  };
}

const abcd = (): Structure => structure(["a", "b", "c", "d"].map((name, order) => field(name, order)));
const sequence = (names: string): { name: string; order: number }[] =>
  names.split(" ").map((one) => ({ name: one.replace(/-?\d+/, ""), order: Number(/-?\d+/.exec(one)?.[0]) }));
const numbers = (names: string): string => [...assignOrders(sequence(names))].map(([name, order]) => `${name}${order}`).join(" ");

describe("orders", () => {
  it.each([
    ["a0 b1 c2", "a0 b1 c2"],
    ["c2 a0 b1", "c-1 a0 b1"],
    ["a0 c2 b1 d3 e4", "a0 c1 b2 d3 e4"],
    ["b1 c2 d3 a0", "b1 c2 d3 a4"],
    ["a0 d30 b10 c20", "a0 d5 b10 c20"],
    ["a7 b7 c7", "a7 b7 c7"],
    ["b7 a7 c8", "b6 a7 c8"],
    ["a0 x99 b3 c4", "a0 x1 b3 c4"],
    ["a5", "a5"],
  ])("of %s are %s", (wanted, found) => expect(numbers(wanted)).toBe(found));

  it("always result in the sequence, within the service's limits", () => {
    let seed = 7;
    const next = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
    for (let round = 0; round < 200; round++) {
      const list = Array.from({ length: next(12) + 1 }, (_, at) => ({ name: `f${String.fromCharCode(97 + at)}`, order: next(9) }));
      list.sort(() => next(3) - 1);
      const orders = assignOrders(list);
      const sorted = [...list].sort((one, other) => {
        const gap = (orders.get(one.name) as number) - (orders.get(other.name) as number);
        return gap || (one.name < other.name ? -1 : 1);
      });
      expect(sorted.map((one) => one.name)).toEqual(list.map((one) => one.name));
    }
  });

  it("never exceed the service's limits", () => {
    const orders = assignOrders([{ name: "b", order: 5 }, { name: "a", order: -1_000_000 }, { name: "c", order: 6 }, { name: "d", order: 7 }]);
    expect(Math.min(...orders.values())).toBeGreaterThanOrEqual(-1_000_000);
    expect(assignOrders([{ name: "b", order: 0 }, { name: "a", order: -1_000_000 }])).toEqual(new Map([["b", 0], ["a", 1]]));
  });

  it("find the fewest moves", () => {
    expect(movedFields(["a", "b", "c", "d"], ["d", "a", "b", "c"])).toEqual(["d"]);
    expect(movedFields(["a", "b", "c"], ["a", "x", "b", "c"])).toEqual([]);
    expect(movedFields(["a", "b", "c"], ["c", "b", "a"])).toHaveLength(2);
  });
});

describe("a draft", () => {
  it("has no change at first, and none after it was undone", () => {
    const draft = draftOf(abcd());
    expect(changesOf(draft)).toEqual([]);
    const there = moveField(setField(draft, "b", { showInTable: false }), "d", 0);
    expect(changesOf(there)).toEqual([
      { name: "d", attribute: "place", before: 3, after: 0 },
      { name: "b", attribute: "showInTable", before: true, after: false },
    ]);
    expect(changesOf(moveField(setField(there, "b", { showInTable: true }), "d", 3))).toEqual([]);
  });

  it("keeps changes made while it is being saved", () => {
    const sent = moveField(setField(draftOf(abcd()), "a", { showInTable: false, displayName: "Who" }), "d", 0);
    const saved = structure([field("d", -1), field("a", 0, { showInTable: false, displayName: "Who" }), field("b", 1), field("c", 2)]);
    expect(changesOf(rebaseUnsaved(sent, sent, saved))).toEqual([]);
    const since = moveField(setField(setField(sent, "a", { showInTable: true }), "b", { sortable: true }), "c", 0);
    expect(changesOf(rebaseUnsaved(sent, since, saved))).toEqual([
      { name: "c", attribute: "place", before: 3, after: 0 },
      { name: "a", attribute: "showInTable", before: false, after: true },
      { name: "b", attribute: "sortable", before: false, after: true },
    ]);
  });

  it("names the field that the user moved, not the other", () => {
    for (const [name, to] of [["b", 2], ["c", 1]] as const) {
      const draft = moveField(draftOf(abcd()), name, to);
      expect(draft.fields.map((field) => field.name)).toEqual(["a", "c", "b", "d"]);
      expect(changesOf(draft).map((change) => [change.name, change.attribute])).toEqual([[name, "place"]]);
      expect(changesOf(rebase(draft, abcd()).draft).map((change) => change.name)).toEqual([name]);
    }
    const spaced = structure([field("a", 0), field("b", 10), field("c", 20), field("d", 30)]);
    const orders = (name: string, to: number) => fieldsToSave(moveField(draftOf(spaced), name, to)).map((one) => [one.name, one.order]);
    expect(orders("b", 2)).toEqual([["a", 0], ["c", 20], ["b", 25], ["d", 30]]);
    expect(orders("c", 1)).toEqual([["a", 0], ["c", 5], ["b", 10], ["d", 30]]);
  });

  it("saves everything, with other orders for those that moved", () => {
    const saved = fieldsToSave(moveField(setField(draftOf(abcd()), "a", { displayName: " Who " }), "d", 0));
    expect(saved.map((one) => [one.name, one.order])).toEqual([["d", -1], ["a", 0], ["b", 1], ["c", 2]]);
    expect(saved[1]).toMatchObject({ displayName: "Who", showInTable: true, displayType: "AlphaNumeric" });
  });

  it("resets a field to what it inherits, including its position", () => {
    const own = field("c", -5, { displayName: "Mine", showInTable: false }, view("c", 2));
    const draft = draftOf(structure([own, field("a", 0), field("b", 1), field("d", 3)]));
    expect(isOverridden(own)).toBe(true);
    const back = resetField(draft, "c");
    expect(back.fields.map((field) => field.name)).toEqual(["a", "b", "c", "d"]);
    expect(fieldsToSave(back).find((one) => one.name === "c")).toMatchObject({ displayName: "C", showInTable: true, order: 2 });
    expect(changesOf(back).map((change) => change.attribute)).toEqual(["displayName", "showInTable", "place"]);
  });

  it("reports that a field inherits again without moving", () => {
    const draft = draftOf(structure([field("a", -3, {}, view("a", 0)), field("b", 1)]));
    expect(changesOf(resetField(draft, "a"))).toEqual([{ name: "a", attribute: "follows", before: -3, after: 0 }]);
    expect(changesOf(resetField(draft, "b"))).toEqual([]);
  });

  it("leaves fields without anything to inherit", () => {
    const draft = draftOf(structure([field("x", 1, {}, null)]));
    expect(resetField(draft, "x")).toBe(draft);
    expect(isOverridden(draft.fields[0] as Field)).toBe(false);
  });
});

describe("a draft rebased onto a newer structure", () => {
  it("keeps both changes of different attributes", () => {
    const mine = moveField(setField(draftOf(abcd()), "a", { showInTable: false }), "d", 0);
    const theirs = structure([field("a", 0, { displayName: "Who" }), field("b", 1), field("n", 2, {}, null), field("c", 3), field("d", 4)]);
    const { draft, conflicts, lostFields } = rebase(mine, theirs);
    expect([conflicts, lostFields]).toEqual([[], []]);
    expect(draft.base).toBe(theirs);
    expect(draft.fields.map((field) => field.name)).toEqual(["d", "a", "b", "n", "c"]);
    expect(draft.fields[1]).toMatchObject({ displayName: "Who", showInTable: false });
  });

  it("prefers its own changes, and reports the conflict", () => {
    const mine = moveField(setField(draftOf(abcd()), "a", { displayName: "Mine" }), "d", 0);
    const theirs = structure([field("b", 0), field("d", 1), field("a", 2, { displayName: "Theirs" }), field("c", 3)]);
    const { draft, conflicts } = rebase(mine, theirs);
    expect(conflicts).toEqual([{ name: "a", attribute: "displayName", mine: "Mine", theirs: "Theirs" }]);
    expect(draft.fields.map((field) => field.name)).toEqual(["d", "b", "a", "c"]);
    expect(rebase(mine, structure([field("a", 0, { displayName: "Mine" })])).conflicts).toEqual([]);
  });

  it("reports changes of fields that are gone", () => {
    const mine = setField(draftOf(abcd()), "b", { sortable: true });
    const theirs = structure([field("a", 0), field("c", 2), field("d", 3)]);
    expect(rebase(mine, theirs)).toMatchObject({ lostFields: ["b"], conflicts: [] });
  });

  it("loses nothing when the user removed the field", () => {
    const mine = withoutField(moveField(setField(draftOf(abcd()), "b", { sortable: true }), "b", 0), "b");
    const theirs = structure([field("a", 0), field("c", 2), field("d", 3)]);
    expect(rebase(mine, theirs)).toMatchObject({ lostFields: [], conflicts: [], draft: { fields: theirs.fields } });
  });

  it("lists the remote changes", () => {
    const theirs = structure([field("b", 0), field("a", 1, { sortable: true }), field("n", 5, {}, null)], { effectiveEnabled: false });
    expect(remoteChanges(abcd(), theirs)).toEqual({
      changes: [
        { name: "a", attribute: "sortable", before: false, after: true },
        { name: "a", attribute: "place", before: 0, after: 1 },
      ],
      added: ["n"],
      removed: ["c", "d"],
      enabled: false,
    });
    expect(remoteChanges(abcd(), abcd())).toEqual({ changes: [], added: [], removed: [], enabled: null });
  });
});
