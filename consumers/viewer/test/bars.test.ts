import { describe, expect, it } from "vitest";

import { axisRange, barAt, barCount, barsOf, highest, indexAfterRecount, isSameAxis, parseInterval, selectionOf, tickSteps } from "../src/model/bars.js";

const hour = (number: number): string => `2026-03-01T${String(number).padStart(2, "0")}:00:00Z`;
const histogram = {
  interval: "PT1H",
  tz: "UTC",
  events: 6,
  data: [1, 0, 3, 2].map((events, index) => ({ start: hour(index + 1), end: hour(index + 2), events })),
};
const at = (text: string): number => Date.parse(`2026-03-01T${text}:00Z`);

describe("bars", () => {
  it("are marked when only a part was counted", () => {
    const partial = (since: string, until: string, now = "23:00"): string[] =>
      barsOf(histogram, since ? at(since) : null, until ? at(until) : null, at(now)).map((bar) => bar.partial);
    expect(partial("", "")).toEqual(["", "", "", ""]);
    expect(partial("01:30", "05:00")).toEqual(["begins", "", "", ""]);
    expect(partial("01:00", "04:20")).toEqual(["", "", "", "ends"]);
    expect(partial("", "", "04:20")).toEqual(["", "", "", "ends"]);
  });

  it("keep their indices after a recount", () => {
    const bars = barsOf(histogram, null, null, at("23:00"));
    const later = barsOf({ ...histogram, data: histogram.data.slice(1) }, null, null, at("23:00"));
    expect([null, 0, 1, 3, 9].map((index) => indexAfterRecount(bars, later, index))).toEqual([null, null, 0, 2, null]);
  });

  it("keep their positions only while the range is the same", () => {
    const bars = barsOf(histogram, null, null, at("23:00"));
    const recounted = { ...histogram, data: histogram.data.map((bucket) => ({ ...bucket, events: 9 })) };
    expect(isSameAxis(bars, barsOf(recounted, null, null, at("23:00")))).toBe(true);
    expect(isSameAxis(bars, bars.slice(1))).toBe(false);
    const minute = (number: number): string => `2026-03-01T01:0${number}:00Z`;
    const narrowed = { ...histogram, data: [0, 1, 2, 3].map((index) => ({ start: minute(index), end: minute(index + 1), events: 0 })) };
    expect(isSameAxis(bars, barsOf(narrowed, null, null, at("23:00")))).toBe(false);
  });

  it("contain no ticks, and have a margin when they are few", () => {
    const bars = barsOf(histogram, null, null, at("23:00"));
    expect(tickSteps(bars)[0]).toBe(3_600);
    expect(axisRange(bars)).toEqual([at("01:00"), at("05:00")]);
    expect(axisRange(bars.slice(0, 1))).toEqual([at("00:00"), at("03:00")]);
    const month = { ...histogram, data: [{ start: "2026-01-01T00:00:00Z", end: "2026-02-01T00:00:00Z", events: 1 }] };
    expect(tickSteps(barsOf(month, null, null, at("23:00")))[0]).toBe(30 * 86_400);
    expect(tickSteps([])[0]).toBe(1);
  });

  it("are found by a moment, and selected from either side", () => {
    const bars = barsOf(histogram, null, null, at("23:00"));
    expect([at("00:10"), at("02:00"), at("02:59"), at("09:00")].map((moment) => barAt(bars, moment))).toEqual([0, 1, 1, 3]);
    expect(selectionOf(bars, 2, 0)).toEqual({ from: hour(1), to: hour(4), events: 4 });
    expect(selectionOf(bars, 2, 9)).toBeNull();
    expect(highest(bars)?.events).toBe(3);
    expect(highest([])).toBeNull();
  });

  it.each([
    ["PT30M", { count: 30, unit: "M" }],
    ["P3M", { count: 3, unit: "months" }],
    ["P1D", { count: 1, unit: "D" }],
    ["P100Y", { count: 100, unit: "Y" }],
  ])("have the width of the interval %s", (interval, width) => {
    expect(parseInterval(interval)).toEqual(width);
  });
});

describe("the number of bars", () => {
  const day = 86_400_000;
  it.each([
    [0, 30 * day, 30],
    [0, 30.2 * day, 31],
    [0, 8 * day, 8],
    [0, 100 * day, 100],
    [0, 7 * day, 100],
    [0, 400 * day, 100],
    [null, 30 * day, 100],
    [0, null, 100],
  ])("from %s to %s: %d", (since, until, bars) => expect(barCount(since, until, 100)).toBe(bars));
});
