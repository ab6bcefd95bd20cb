import { describe, expect, it } from "vitest";

import { Problem } from "../src/api/problem.js";
import { de } from "../src/i18n/de/index.js";
import { en } from "../src/i18n/en/index.js";
import { formatBytes, formatRange } from "../src/model/format/summary.js";
import { kindOf } from "../src/model/problem-kind.js";
import { describeDetail } from "../src/model/query-error.js";
import { snippets } from "../src/model/snippets.js";

describe("a problem's kind", () => {
  it.each([
    [401, "TOKEN_EXPIRED", "expired"],
    [403, "AUDIT_LOGS_DISABLED", "disabled"],
    [503, "STORE_UNAVAILABLE", "away"],
    [503, "SOMETHING_NEW", "away"],
    [500, "INTERNAL", "failed"],
    [0, "OFFLINE", "offline"],
    [0, "UNREACHABLE", "unreachable"],
  ])("%i %s is %s", (status, code, trouble) => {
    expect(kindOf(new Problem(status, code, ""))).toBe(trouble);
  });
});

describe("the service's details", () => {
  it.each([
    [401, "UNAUTHENTICATED", ""],
    [503, "STORE_UNAVAILABLE", ""],
    [0, "OFFLINE", ""],
    [400, "FILTER_INVALID", "It failed. Do this."],
    [500, "INTERNAL", "It failed. Do this."],
  ])("of %i %s are shown where they help", (status, code, detail) => {
    const { text, translated } = describeDetail(new Problem(status, code, "It failed.", "Do this."), de);
    expect([text, translated]).toEqual([detail, detail === ""]);
  });
});

describe("an error in a query", () => {
  const wrong = (column: number | null) =>
    new Problem(400, "FILTER_INVALID", "'from' is not a time.", "", "from", column, null, "", [], {
      reason: "not_a_time",
      args: { field: "from", value: "2026-02-30" },
    });

  it("is described in the reader's language unless the box shows it", () => {
    expect(describeDetail(wrong(null), de).text).toMatch(/^from: „2026-02-30“ ist keine Zeitangabe/);
    expect(describeDetail(wrong(3), de).text).toBe("");
  });
});

describe("a formatted range", () => {
  it("is in the reader's language and zone", () => {
    expect(formatRange({ kind: "ever" }, en, "en", "UTC")).toBe("");
    expect(formatRange({ kind: "preset", preset: "7d" }, de, "de", "UTC")).toBe("die letzten 7 Tage");
    const day = { kind: "custom", from: "2026-01-31T23:30:00Z", to: "" } as const;
    expect(formatRange(day, en, "en", "UTC")).toMatch(/^since Jan 31, 2026, 11:30/);
    expect(formatRange(day, de, "de", "Europe/Berlin")).toBe("seit 01.02.2026, 00:30");
  });
});

describe("a size", () => {
  it.each([
    [0, "0 bytes"],
    [999, "999 bytes"],
    [1_500, "1.5 kB"],
    [974_000_000, "974 MB"],
  ])("%i is %s", (bytes, text) => {
    expect(formatBytes(bytes, "en")).toBe(text);
  });
});

describe("snippets", () => {
  it("contain the tenant, quoted for each language", () => {
    const [python, curl, frontegg] = snippets("o'brien\"s", "https://audit.example.com").map((one) => one.code);
    expect(python).toContain('tenant_id="o\'brien\\"s"');
    expect(curl).toContain(`'Auditlane-Tenant: o'\\''brien"s'`);
    expect(curl).toContain("'https://audit.example.com/v1/events'");
    expect(frontegg).toContain('tenantId: "o\'brien\\"s"');
  });
});
