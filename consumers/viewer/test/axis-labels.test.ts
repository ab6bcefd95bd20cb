import { describe, expect, it } from "vitest";

import { axisLabels } from "../src/model/axis-labels.js";

const HOUR = 3_600;
const begin = Date.parse("2026-11-18T00:00:00Z") / 1000;
/** Returns the labels of ticks `step` hours apart on an axis of `hours`. */
const labels = (hours: number, step: number, width = 1_000, zone = "UTC", locale = "en-GB"): string[] => {
  const ticks = Array.from({ length: Math.floor(hours / step) + 1 }, (_, index) => begin + index * step * HOUR);
  return axisLabels(ticks, [begin, begin + hours * HOUR], width, zone, locale);
};

describe("the labels of a time axis", () => {
  it("are days, months or years for long steps, and leave out what would be cut off", () => {
    expect(labels(96, 24)).toEqual(["", "19 Nov", "20 Nov", "21 Nov", ""]);
    expect(labels(96, 24, 1_000, "UTC", "de")).toEqual(["", "19. Nov.", "20. Nov.", "21. Nov.", ""]);
    expect(labels(24 * 90, 24 * 30)).toEqual(["", "Dec 2026", "Jan 2027", ""]);
    expect(labels(24 * 365 * 3, 24 * 365)).toEqual(["", "2027", "2028", ""]);
  });

  it("contain the day at first and where it changes, in the zone", () => {
    expect(labels(48, 12)).toEqual(["", "18 Nov, 12:00", "19 Nov", "12:00", ""]);
    expect(labels(12, 3, 1_000, "America/New_York", "en-US")).toEqual(["", "Nov 17, 10:00 PM", "Nov 18", "04:00 AM", ""]);
  });

  it("contain the day where there is room for it", () => {
    expect(labels(8, 1, 320)).toEqual(["", "01:00", "18 Nov, 02:00", "03:00", "04:00", "05:00", "06:00", "07:00", ""]);
  });
});
