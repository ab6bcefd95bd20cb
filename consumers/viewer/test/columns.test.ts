import { describe, expect, it } from "vitest";

import type { DisplayType, ShownField } from "../src/api/types.js";
import { gridTracks, layoutColumns, moveColumn, shownColumns, toggleColumn, totalWidth } from "../src/model/columns.js";

const field = (name: string, displayType: DisplayType, showInTable = true): ShownField =>
  ({ name, displayType, showInTable }) as ShownField;

const FIELDS = [field("occurred_at", "Timestamp"), field("action", "AlphaNumeric"), field("ip", "IpAddress"), field("note", "AlphaNumeric", false)];
const names = (columns: string[] | null, widths = {}): string[] => layoutColumns(FIELDS, { columns, widths }).map((column) => column.field.name);

describe("columns", () => {
  it("are the tenant's in its order, until the user chooses", () => {
    expect(names(null)).toEqual(["occurred_at", "action", "ip"]);
    expect(names(["note", "gone", "ip"])).toEqual(["note", "ip"]);
    expect(names(["gone"])).toEqual(["occurred_at", "action", "ip"]);
    expect(shownColumns(FIELDS, null)).toEqual(["occurred_at", "action", "ip"]);
  });

  it("have their own widths, none too narrow", () => {
    const columns = layoutColumns(FIELDS, { columns: null, widths: { ip: 10 } });
    expect(gridTracks(columns)).toBe("195px minmax(280px, 1fr) 64px");
    expect(totalWidth(columns)).toBe(539);
    expect(gridTracks(layoutColumns(FIELDS, { columns: null, widths: { action: 100 } }))).toBe("195px 100px minmax(135px, 1fr)");
  });

  it("are at least as wide as their usual values", () => {
    const needed = { Timestamp: 212.4, action: 90, IpAddress: 140 };
    expect(gridTracks(layoutColumns(FIELDS, { columns: null, widths: { ip: 80 } }, needed))).toBe("213px minmax(280px, 1fr) 80px");
  });

  it("share the remaining width, most of it for long values", () => {
    const fields = [...FIELDS, field("actor_name", "AlphaNumeric"), field("resource", "AlphaNumeric")];
    const shared = (columns: string[] | null, widths = {}): string => gridTracks(layoutColumns(fields, { columns, widths }));
    expect(shared(null)).toBe("195px minmax(280px, 1fr) 135px 155px minmax(200px, 3fr)");
    expect(shared(null, { resource: 120 })).toBe("195px minmax(280px, 1fr) 135px minmax(155px, 1fr) 120px");
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
});
