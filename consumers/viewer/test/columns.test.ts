import { describe, expect, it } from "vitest";

import type { DisplayType, ShownField } from "../src/api/types.js";
import { gridTracks, layoutColumns, moveColumn, movesOf, pinnedInsets, shownColumns, toggleColumn, togglePinned, totalWidth } from "../src/model/columns.js";

const field = (name: string, displayType: DisplayType, showInTable = true): ShownField =>
  ({ name, displayType, showInTable }) as ShownField;

const FIELDS = [field("occurred_at", "Timestamp"), field("action", "AlphaNumeric"), field("ip", "IpAddress"), field("note", "AlphaNumeric", false)];
const names = (columns: string[] | null, widths = {}): string[] => layoutColumns(FIELDS, { columns, pinned: [], widths }).map((column) => column.field.name);

describe("columns", () => {
  it("are the tenant's in its order, until the user chooses", () => {
    expect(names(null)).toEqual(["occurred_at", "action", "ip"]);
    expect(names(["note", "gone", "ip"])).toEqual(["note", "ip"]);
    expect(names(["gone"])).toEqual(["occurred_at", "action", "ip"]);
    expect(shownColumns(FIELDS, null, [])).toEqual(["occurred_at", "action", "ip"]);
  });

  it("have their own widths, none too narrow", () => {
    const columns = layoutColumns(FIELDS, { columns: null, pinned: [], widths: { ip: 10 } });
    expect(gridTracks(columns)).toBe("195px minmax(280px, 1fr) 64px");
    expect(totalWidth(columns)).toBe(539);
    expect(gridTracks(layoutColumns(FIELDS, { columns: null, pinned: [], widths: { action: 100 } }))).toBe("195px 100px minmax(135px, 1fr)");
  });

  it("are at least as wide as their usual values", () => {
    const needed = { Timestamp: 212.4, action: 90, IpAddress: 140 };
    expect(gridTracks(layoutColumns(FIELDS, { columns: null, pinned: [], widths: { ip: 80 } }, needed))).toBe("213px minmax(280px, 1fr) 80px");
  });

  it("share the remaining width, most of it for long values", () => {
    const fields = [...FIELDS, field("actor_name", "AlphaNumeric"), field("resource", "AlphaNumeric")];
    const shared = (columns: string[] | null, widths = {}): string => gridTracks(layoutColumns(fields, { columns, pinned: [], widths }));
    expect(shared(null)).toBe("195px minmax(280px, 1fr) 135px 180px minmax(200px, 3fr)");
    expect(shared(null, { resource: 120 })).toBe("195px minmax(280px, 1fr) 135px minmax(180px, 1fr) 120px");
  });

  it("are moved, hidden, and shown again at their position", () => {
    expect(moveColumn(["a", "b", "c"], "b", -1)).toEqual(["b", "a", "c"]);
    expect(moveColumn(["a", "b", "c"], "b", 5)).toEqual(["a", "c", "b"]);
    expect(moveColumn(["a", "b"], "x", 1)).toEqual(["a", "b"]);
    expect(toggleColumn(FIELDS, ["occurred_at", "ip"], "action")).toEqual(["occurred_at", "action", "ip"]);
    expect(toggleColumn(FIELDS, ["occurred_at", "ip"], "ip")).toEqual(["occurred_at"]);
    expect(toggleColumn(FIELDS, ["ip"], "ip")).toEqual(["ip"]);
    expect(toggleColumn(FIELDS, ["ip"], "note")).toEqual(["ip", "note"]);
  });

  it("are first if they are pinned, and stay within a share of the table", () => {
    const columns = layoutColumns(FIELDS, { columns: null, pinned: ["ip", "gone", "note"], widths: {} });
    expect(columns.map((column) => [column.field.name, column.pinned])).toEqual([["ip", true], ["occurred_at", false], ["action", false]]);
    const two = layoutColumns(FIELDS, { columns: null, pinned: ["occurred_at", "ip"], widths: { ip: 100 } });
    expect(pinnedInsets(two)).toEqual(["min(3px, 60cqi - 195px)", "min(198px, 60cqi - 100px)"]);
    expect(shownColumns(FIELDS, ["a", "b", "c", "d", "e"], []).length).toBe(3);
  });

  it("are pinned after the pinned ones, and released to the position after them", () => {
    expect(togglePinned(["a", "b", "c"], [], "c")).toEqual({ columns: ["c", "a", "b"], pinned: ["c"] });
    expect(togglePinned(["c", "a", "b"], ["c", "hidden"], "b")).toEqual({ columns: ["c", "b", "a"], pinned: ["c", "b"] });
    expect(togglePinned(["c", "b", "a"], ["c", "b"], "c")).toEqual({ columns: ["b", "c", "a"], pinned: ["b"] });
  });

  it("move only among columns that are pinned, or are not, as they are", () => {
    expect(movesOf(["a", "b", "c", "d"], ["a", "b"], "b")).toEqual({ earlier: 1, later: 0 });
    expect(movesOf(["a", "b", "c", "d"], ["a", "b"], "c")).toEqual({ earlier: 0, later: 1 });
  });
});
