import { describe, expect, it } from "vitest";

import { DEFAULT_PREFERENCES, parsePreferences } from "../src/model/preferences.js";

describe("stored preferences", () => {
  it("are read", () => {
    const times = { zone: "Asia/Tokyo", relativeTimes: false, format: "xlsx" };
    const kept = { columns: ["action"], density: "compact", ...times, tilesFolded: true, access: true, pinned: ["action"], widths: { action: 120 } };
    expect(parsePreferences(kept)).toEqual(kept);
  });

  it.each([null, "x", 3, [], {}, { columns: "action", density: "huge", zone: "Mars/Olympus", tilesFolded: "yes", access: 1, pinned: 1, widths: { action: "wide" } }])(
    "is the usual where it makes no sense: %o",
    (kept) => expect(parsePreferences(kept)).toEqual(DEFAULT_PREFERENCES),
  );
});
