import { describe, expect, it } from "vitest";

import { ALL_TIME } from "../src/model/range.js";
import { DEFAULT_VIEW, searchFromView, viewFromSearch, zoneFromSearch } from "../src/model/view.js";

describe("a view in the address", () => {
  it.each([
    DEFAULT_VIEW,
    { ...DEFAULT_VIEW, query: 'action:login* "a & b" +c', live: true },
    { ...DEFAULT_VIEW, range: { kind: "preset", preset: "7d" } as const, sort: "actor_name" },
    { ...DEFAULT_VIEW, range: { kind: "custom", from: "2026-01-01T00:00:00Z", to: "" } as const, open: "0193-a" },
    { ...DEFAULT_VIEW, query: "login", settings: true },
    { ...DEFAULT_VIEW, group: "metadata.region", compare: true },
    { ...DEFAULT_VIEW, columns: ["occurred_at", "metadata.region"] },
  ])("comes back as it was: %o", (view) => {
    expect(viewFromSearch(searchFromView(view))).toEqual(view);
  });

  it("keeps other parameters", () => {
    expect(searchFromView({ ...DEFAULT_VIEW, query: "x" }, "?tab=2&query=old&event=9")).toBe("?tab=2&query=x");
    expect(searchFromView(DEFAULT_VIEW, "?from=2026")).toBe("");
    expect(searchFromView(DEFAULT_VIEW, "?settings=profile")).toBe("?settings=profile");
    expect(viewFromSearch("?settings=profile").settings).toBe(false);
    expect(searchFromView(DEFAULT_VIEW, "?tab=2&settings=1")).toBe("?tab=2");
  });

  it("has the zone that was chosen", () => {
    const search = searchFromView({ ...DEFAULT_VIEW, query: "x" }, "?tz=UTC", "Asia/Tokyo");
    expect(search).toBe("?tz=Asia%2FTokyo&query=x");
    expect(zoneFromSearch(search)).toBe("Asia/Tokyo");
    expect(searchFromView(DEFAULT_VIEW, search)).toBe("");
    expect(["", "?tz=", "?tz=Mars", "?tz=%2B02:00"].map(zoneFromSearch)).toEqual(["", "", "", ""]);
  });

  it("replaces invalid values by the default", () => {
    expect(viewFromSearch("?range=soon&from=yesterday").range).toEqual(ALL_TIME);
    expect(viewFromSearch("?live=1&sort=action").live).toBe(false);
  });
});
