import { describe, expect, it } from "vitest";

import { dayTerm } from "../src/model/day-term.js";

describe("a day in a query", () => {
  it("is a date in UTC", () => expect(dayTerm("occurred_at", "<=", "2026-03-29", "UTC", true)).toBe("-occurred_at:<=2026-03-29"));

  it("is a period in another zone, of 23 hours when its clocks change", () => {
    expect(dayTerm("occurred_at", "", "2026-03-29", "Europe/Berlin", false)).toBe(
      "(occurred_at:>=2026-03-28T23:00:00Z occurred_at:<2026-03-29T22:00:00Z)",
    );
    expect(dayTerm("fields.due", "", "2026-01-01", "Asia/Tokyo", true)).toMatch(/^-\(fields.due:>=2025-12-31T15:00:00Z /);
  });

  it.each([
    [">=", ">=2026-03-28T23:00:00Z"],
    ["<", "<2026-03-28T23:00:00Z"],
    [">", ">=2026-03-29T22:00:00Z"],
    ["<=", "<2026-03-29T22:00:00Z"],
  ])("begins or ends a period with %s", (operator, value) => {
    expect(dayTerm("occurred_at", operator, "2026-03-29", "Europe/Berlin", false)).toBe(`occurred_at:${value}`);
  });
});
