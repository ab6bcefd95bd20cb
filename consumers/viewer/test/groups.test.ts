import { describe, expect, it } from "vitest";

import type { Group, Groups } from "../src/api/types.js";
import { changeOf, isComparable } from "../src/model/comparison.js";
import { bucketsOf, type GroupRow, mostIn, narrowed, rowsOf } from "../src/model/groups.js";
import { ALL_TIME } from "../src/model/range.js";

const NOW = Date.parse("2026-03-31T12:00:00Z");

function group(counts: number[], query: string | null = "x", before: number | null = null): Group {
  return { events: counts.reduce((sum, count) => sum + count, 0), before, counts, query };
}

function groups(others: Group, none: Group): Groups {
  return {
    field: "action",
    tz: "UTC",
    interval: "P1D",
    events: 9,
    before: null,
    values: 2,
    new: null,
    vanished: null,
    buckets: [
      { start: "2026-03-01T00:00:00Z", end: "2026-03-02T00:00:00Z" },
      { start: "2026-03-02T00:00:00Z", end: "2026-03-03T00:00:00Z" },
    ],
    data: [
      { value: "login", ...group([1, 4], "action:login") },
      { value: "logout", ...group([2, 0], "action:logout") },
    ],
    others,
    none,
  };
}

describe("rows of groups", () => {
  it("leave out the rest where it is empty", () => {
    const kinds = (found: Groups): string[] => rowsOf(found).map(({ kind }) => kind);
    expect(kinds(groups(group([0, 0]), group([0, 0])))).toEqual(["value", "value"]);
    expect(kinds(groups(group([0, 1]), group([0, 0], "x", 3)))).toEqual(["value", "value", "others", "none"]);
  });

  it("add up to the buckets", () => {
    const found = groups(group([1, 1]), group([0, 0]));
    expect(bucketsOf(found, rowsOf(found)).map(({ events }) => events)).toEqual([4, 5]);
    expect(mostIn(rowsOf(found), 0, 2)).toEqual([1, 0]);
    expect(mostIn(rowsOf(found), 1, 3)).toEqual([0, 2]);
  });
});

describe("the query of a row", () => {
  const value = (text: string, query: string | null): GroupRow => ({ kind: "value", value: text, group: group([1], query) });
  const rest = (kind: "others" | "none", query: string): GroupRow => ({ kind, group: group([1], query) });

  it.each<[string, string, GroupRow, string | null]>([
    ["", "action", value("login", "action:login"), "action:login"],
    ["jane action:logout", "action", value("login", "action:login"), "jane action:login"],
    ["action:login OR action:logout", "action", value("login", "action:login"), "action:login"],
    ["a OR b", "action", value("login", "action:login"), "(a OR b) action:login"],
    ["x", "action", value("link.opened", "action:link.opened -source:auditlane"), "x action:link.opened -source:auditlane"],
    ["x", "actor", value("Jane", "(actor_name:Jane OR actor_id:Jane -actor_name:*)"), "x (actor_name:Jane OR actor_id:Jane -actor_name:*)"],
    ["a OR b", "action", rest("others", "action:* -(action:x OR action:y)"), "(a OR b) action:* -(action:x OR action:y)"],
    ["x", "ip", rest("none", "-ip:*"), "x -ip:*"],
    ["ip:10.0.0.1", "description", value("long", null), null],
  ])("%s by %s", (query, parameter, row, wanted) => {
    expect(narrowed(query, parameter, row)).toBe(wanted);
  });
});

describe("a change", () => {
  it("is relative to the number before", () => {
    expect(changeOf(4, 5)).toEqual({ kind: "difference", count: 1, share: 0.25 });
    expect(changeOf(4, 1)).toEqual({ kind: "difference", count: -3, share: -0.75 });
    expect([changeOf(0, 3), changeOf(3, 0), changeOf(0, 0), changeOf(2, 2)].map(({ kind }) => kind)).toEqual([
      "added",
      "vanished",
      "unchanged",
      "unchanged",
    ]);
  });

  it("needs a range with a start", () => {
    expect(isComparable(ALL_TIME, NOW)).toBe(false);
    expect(isComparable({ kind: "preset", preset: "7d" }, NOW)).toBe(true);
    const custom = (from: string, to: string): boolean => isComparable({ kind: "custom", from, to }, NOW);
    expect([custom("2026-03-01", ""), custom("", "2026-03-01"), custom("2026-04-01", ""), custom("2026-04-01", "2026-04-02")]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });
});
