import { describe, expect, it, vi } from "vitest";

import {
  closedRangeParams,
  dayRange,
  inputFromRange,
  invalidRangeIn,
  parseRange,
  rangeFromInput,
  rangeParams,
  wholeDaysOf,
} from "../src/model/range.js";
import { addDays, findZone, instantOf, localTimeOf, localZone } from "../src/model/zone.js";

const BERLIN = "Europe/Berlin";
const iso = (moment: number): string => new Date(moment).toISOString();

describe("local times of a zone", () => {
  it.each([
    [BERLIN, "2026-01-31", "12:00", "2026-01-31T11:00:00.000Z"],
    [BERLIN, "2026-03-29", "00:00", "2026-03-28T23:00:00.000Z"],
    [BERLIN, "2026-03-29", "02:30", "2026-03-29T01:30:00.000Z"], // skipped: 03:30
    [BERLIN, "2026-03-30", "00:00", "2026-03-29T22:00:00.000Z"],
    [BERLIN, "2026-10-25", "02:30", "2026-10-25T00:30:00.000Z"], // occurs twice: the first one
    [BERLIN, "2026-10-25", "03:00", "2026-10-25T02:00:00.000Z"],
    ["America/Santiago", "2026-09-06", "00:00", "2026-09-06T04:00:00.000Z"], // a skipped midnight: 01:00
    ["Asia/Kathmandu", "2026-01-01", "00:00:30", "2025-12-31T18:15:30.000Z"],
    ["Pacific/Kiritimati", "2026-01-01", "00:00", "2025-12-31T10:00:00.000Z"],
    ["UTC", "2026-01-01", "", "2026-01-01T00:00:00.000Z"],
  ])("%s, %s %s", (zone, day, time, moment) => {
    expect(iso(instantOf(day, time, zone))).toBe(moment);
  });

  it("are converted from instants", () => {
    expect(localTimeOf(Date.parse("2026-03-29T01:00:00Z"), BERLIN)).toEqual({ day: "2026-03-29", time: "03:00:00" });
    expect(localTimeOf(Date.parse("2025-12-31T23:00:00.999Z"), BERLIN)).toEqual({ day: "2026-01-01", time: "00:00:00" });
    expect(addDays("2028-02-28")).toBe("2028-02-29");
    expect(addDays("2026-01-01", -1)).toBe("2025-12-31");
  });
});

describe("the range of a day", () => {
  it.each([
    [BERLIN, "2026-03-29", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"], // 23 hours
    [BERLIN, "2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"], // 25 hours
    ["America/Santiago", "2026-09-05", "2026-09-05T04:00:00Z", "2026-09-06T04:00:00Z"], // the next day begins at 01:00
    ["America/Santiago", "2026-09-06", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"],
    ["UTC", "2026-12-31", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"],
  ])("%s %s", (zone, day, from, to) => {
    const range = dayRange(day, zone);
    expect(range).toEqual({ kind: "custom", from, to });
    expect(wholeDaysOf(range, zone)).toEqual([day, day]);
  });
});

describe("a range from the form's inputs", () => {
  const filled = { fromDay: "2026-03-29", fromTime: "", toDay: "2026-03-29", toTime: "" };

  it("is the whole day of the zone, of 23 or 25 hours", () => {
    const spring = rangeFromInput(filled, BERLIN);
    expect(spring).toEqual({ kind: "custom", from: "2026-03-28T23:00:00Z", to: "2026-03-29T22:00:00Z" });
    const autumn = rangeFromInput({ ...filled, fromDay: "2026-10-25", toDay: "2026-10-25" }, BERLIN);
    expect(autumn).toEqual({ kind: "custom", from: "2026-10-24T22:00:00Z", to: "2026-10-25T23:00:00Z" });
    expect(rangeFromInput(filled, "UTC")).toEqual({ kind: "custom", from: "2026-03-29T00:00:00Z", to: "2026-03-30T00:00:00Z" });
  });

  it("has open ends, and is an error when it is empty", () => {
    expect(rangeFromInput({ ...filled, toDay: "" }, "UTC")).toEqual({ kind: "custom", from: "2026-03-29T00:00:00Z", to: "" });
    expect(rangeFromInput({ ...filled, fromDay: "" }, "UTC")).toEqual({ kind: "custom", from: "", to: "2026-03-30T00:00:00Z" });
    expect(rangeFromInput({ ...filled, fromDay: "", toDay: "" }, "UTC")).toBe("empty");
    expect(rangeFromInput({ ...filled, fromDay: "soon" }, "UTC")).toBe("empty");
    expect(rangeFromInput({ ...filled, toDay: "2026-03-28" }, "UTC")).toBe("backwards");
    expect(rangeFromInput({ ...filled, fromTime: "10:00", toTime: "10:00" }, "UTC")).toBe("same");
    expect(rangeFromInput({ ...filled, fromTime: "10:01", toTime: "10:00" }, "UTC")).toBe("backwards");
  });

  it.each([
    filled,
    { ...filled, fromTime: "10:00", toTime: "10:00:30" },
    { ...filled, toDay: "" },
    { ...filled, fromDay: "2026-10-25", toDay: "2026-10-26", toTime: "03:00" },
  ])("is shown as it was: %o", (one) => {
    const range = rangeFromInput(one, BERLIN);
    expect(typeof range).toBe("object");
    if (typeof range === "object") expect(inputFromRange(range, BERLIN, 0)).toEqual(one);
  });

  it("consists of days when it begins and ends with days", () => {
    const range = rangeFromInput({ ...filled, toDay: "2026-03-31" }, BERLIN);
    expect(typeof range === "object" && wholeDaysOf(range, BERLIN)).toEqual(["2026-03-29", "2026-03-31"]);
    expect(typeof range === "object" && wholeDaysOf(range, "UTC")).toBeNull();
    expect(wholeDaysOf({ kind: "preset", preset: "7d" }, "UTC")).toBeNull();
  });
});

describe("a preset", () => {
  const now = Date.parse("2026-03-29T12:00:00Z");
  const day = { kind: "preset", preset: "24h" } as const;

  it("counts back from now, and has an end only on an axis", () => {
    expect(rangeParams(day, now)).toEqual([["from", "2026-03-28T12:00:00.000Z"]]);
    expect(closedRangeParams(day, now)[1]).toEqual(["to", "2026-03-29T12:00:00.000Z"]);
    expect(closedRangeParams({ kind: "ever" }, now)).toEqual([]);
  });

  it("is shown as the days that it covers", () => {
    expect(inputFromRange(day, BERLIN, now)).toEqual({ fromDay: "2026-03-28", fromTime: "", toDay: "2026-03-29", toTime: "" });
  });
});

describe("an address with invalid times", () => {
  it.each([
    ["from=garbage", "from=garbage"],
    ["range=banana&query=x", "range=banana"],
    ["range=banana&from=x&to=2026-01-01", "range=banana, from=x"],
    ["from=2026-02-01&to=2026-01-01", "from=2026-02-01, to=2026-01-01"],
    ["from=2026-01-01&to=2026-01-01", "from=2026-01-01, to=2026-01-01"],
    ["from=July+2023", "from=July 2023"],
    ["to=2026-13-01", "to=2026-13-01"],
  ])("%s", (search, invalid) => {
    const given = new URLSearchParams(search);
    expect(invalidRangeIn(given)).toBe(invalid);
    expect(parseRange(given)).toEqual({ kind: "ever" });
  });

  it.each([
    ["", { kind: "ever" }],
    ["range=7d&from=x", { kind: "preset", preset: "7d" }],
    ["from=2026-01-01", { kind: "custom", from: "2026-01-01", to: "" }],
    ["from=2026-01-01T10:00:00.5%2B02:00&to=2026-01-02T00:00:00Z", { kind: "custom", from: "2026-01-01T10:00:00.5+02:00", to: "2026-01-02T00:00:00Z" }],
  ])("is not %s", (search, range) => {
    const given = new URLSearchParams(search);
    expect(invalidRangeIn(given)).toBe("");
    expect(parseRange(given)).toEqual(range);
  });
});

describe("a zone found by its name", () => {
  const zones = ["America/Indiana/Knox", "America/New_York", "America/North_Dakota/Knox", "Asia/Tokyo"];
  it.each([
    [" asia/tokyo ", "Asia/Tokyo"],
    ["America/New York", "America/New_York"],
    ["new york", "America/New_York"],
    ["knox", null], // two cities
    ["utc", "UTC"],
    ["Europe/Berlin", "Europe/Berlin"], // valid without being listed
    ["+02:00", null],
    ["Mars", null],
    ["", null],
  ])("%j", (typed, zone) => expect(findZone(typed, zones)).toBe(zone));
});

describe("the browser's zone", () => {
  const zoneFor = (timeZone: string | undefined): string => {
    const resolved = vi.spyOn(Intl.DateTimeFormat.prototype, "resolvedOptions");
    resolved.mockReturnValue({ timeZone } as Intl.ResolvedDateTimeFormatOptions);
    const found = localZone();
    resolved.mockRestore();
    return found;
  };

  it.each(["Europe/Berlin", "UTC", "Etc/GMT-8"])("%s is itself", (zone) => expect(zoneFor(zone)).toBe(zone));

  it.each(["Etc/Unknown", "CST-8", "Nowhere/Bad", "", undefined])("%s is UTC", (zone) => expect(zoneFor(zone)).toBe("UTC"));
});
