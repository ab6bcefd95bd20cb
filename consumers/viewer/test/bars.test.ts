import { describe, expect, it } from "vitest";

import { barAt, barsOf, chosen, highest, widthOf } from "../src/model/bars.js";

const hour = (number: number): string => `2026-03-01T${String(number).padStart(2, "0")}:00:00Z`;
const histogram = {
  interval: "PT1H",
  tz: "UTC",
  events: 6,
  data: [1, 0, 3, 2].map((events, place) => ({ start: hour(place + 1), end: hour(place + 2), events })),
};
const at = (text: string): number => Date.parse(`2026-03-01T${text}:00Z`);

describe("bars", () => {
  it("that are counted in part say so", () => {
    const partial = (since: string, until: string, now = "23:00"): string[] =>
      barsOf(histogram, since ? at(since) : null, until ? at(until) : null, at(now)).map((bar) => bar.partial);
    expect(partial("", "")).toEqual(["", "", "", ""]);
    expect(partial("01:30", "05:00")).toEqual(["begins", "", "", ""]);
    expect(partial("01:00", "04:20")).toEqual(["", "", "", "ends"]);
    expect(partial("", "", "04:20")).toEqual(["", "", "", "ends"]);
  });

  it("are found by a moment, and chosen from either side", () => {
    const bars = barsOf(histogram, null, null, at("23:00"));
    expect([at("00:10"), at("02:00"), at("02:59"), at("09:00")].map((moment) => barAt(bars, moment))).toEqual([0, 1, 1, 3]);
    expect(chosen(bars, 2, 0)).toEqual({ from: hour(1), to: hour(4), events: 4 });
    expect(chosen(bars, 2, 9)).toBeNull();
    expect(highest(bars)?.events).toBe(3);
    expect(highest([])).toBeNull();
  });

  it.each([
    ["PT30M", { count: 30, unit: "M" }],
    ["P3M", { count: 3, unit: "months" }],
    ["P1D", { count: 1, unit: "D" }],
    ["P100Y", { count: 100, unit: "Y" }],
  ])("are as wide as %s says", (interval, width) => {
    expect(widthOf(interval)).toEqual(width);
  });
});
