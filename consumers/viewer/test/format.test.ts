import { describe, expect, it } from "vitest";

import type { AuditEvent } from "../src/api/types.js";
import { displayAddress, networkOf } from "../src/model/format/address.js";
import { initialsOf, splitTail, truncate, visible } from "../src/model/format/text.js";
import { clockOf } from "../src/model/format/time.js";
import { parseUserAgent } from "../src/model/format/user-agent.js";
import { formatNumber, jsonInline, metadataLabel, valueOf } from "../src/model/format/value.js";

describe("text", () => {
  it.each([
    ["plain ÄÖ 日本 👩‍👩‍👧", "plain ÄÖ 日本 👩‍👩‍👧"],
    ["a\u202egpj.exe", "a⟨U+202E⟩gpj.exe"],
    ["a\u0000b\u001b[31m\u007f", "a⟨U+0000⟩b⟨U+001B⟩[31m⟨U+007F⟩"],
    ["one\r\ntwo\tthree", "one⟨U+000D⟩↵two⇥three"],
    ["zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"],
    ["line\u2028sep", "line⟨U+2028⟩sep"],
  ])("%j is seen whole", (text, seen) => expect(visible(text)).toBe(seen));

  it("keeps line breaks in text of several lines", () => expect(visible("a\n\tb\r\u202e", true)).toBe("a\n\tb⟨U+000D⟩⟨U+202E⟩"));

  it("is truncated between characters", () => {
    expect(truncate("abcdef", 6)).toBe("abcdef");
    expect(truncate("abcdefg", 6)).toBe("abcde…");
    expect(truncate("abcd👩x", 6)).toBe("abcd…");
  });
});

describe("an id split before its tail", () => {
  it.each([
    ["4711", ["", "4711"]],
    ["arn:parameter-14", ["arn:param", "eter-14"]],
    ["abc👩cdefgh", ["abc👩", "cdefgh"]],
  ])("%s", (id, parts) => expect(splitTail(id, 7)).toEqual(parts));
});

describe("a metadata key", () => {
  const metadata = { "userIdentity:json": "{}", a: "1", "a:json": "{}" };
  it("of CloudTrail is shown without its suffix", () => {
    expect(metadataLabel("userIdentity:json", { source: "cloudtrail", metadata })).toBe("userIdentity");
    expect(metadataLabel("a:json", { source: "cloudtrail", metadata })).toBe("a:json");
    expect(metadataLabel("userIdentity:json", { source: "sdk", metadata })).toBe("userIdentity:json");
  });
});

describe("time", () => {
  const now = Date.parse("2026-03-08T12:00:00Z");
  it.each([
    ["2026-03-08T11:59:30.5Z", "29 sec. ago"],
    ["2026-03-08T11:57:00Z", "3 min. ago"],
    ["2026-03-08T12:03:00Z", "in 3 min."],
    ["2026-03-08T12:00:05Z", "now"], // the other clock is ahead
    ["2026-03-08T12:00:06Z", "in 6 sec."],
    ["2026-03-08T07:00:01Z", "4 hr. ago"],
    ["2026-03-07T11:00:00Z", "yesterday"],
    ["2026-03-01T12:00:00Z", ""],
    ["never", ""],
  ])("%s", (moment, text) => expect(clockOf("en", "UTC").relative(moment, now).replace(/\s/g, " ")).toBe(text));

  it.each([
    ["2026-03-08T12:00:05Z", "0s ago"],
    ["2026-03-08T11:01:00Z", "59m ago"],
    ["2026-03-07T11:00:00Z", "1d ago"],
    ["2026-03-01T12:00:00Z", ""],
  ])("is narrow beside the time: %s", (moment, text) => expect(clockOf("en", "UTC").relativeNarrow(moment, now)).toBe(text));

  it("lists its longest outputs", () => {
    const clock = clockOf("en", "UTC");
    const length = (texts: readonly string[]): number => Math.max(...texts.map((one) => one.length));
    const { exact, brief } = clock.longest();
    expect(new Set(exact).size).toBe(24);
    expect(length(exact)).toBeGreaterThanOrEqual(clock.exact("2023-07-10T08:12:01Z").length);
    expect(length(brief)).toBeGreaterThanOrEqual(clock.brief("2026-07-10T08:12:01Z", now).length);
    expect(length(clock.longestRelative())).toBeGreaterThanOrEqual("59m ago".length);
    expect(clockOf("de", "UTC").longest().exact.some((one) => one.includes("Sept."))).toBe(true);
  });

  it.each([
    ["2026-03-08T11:59:30.5Z", "UTC", "Mar 8, 11:59:30 AM"],
    ["2026-01-01T04:30:00Z", "UTC", "Jan 1, 04:30:00 AM"],
    ["2026-01-01T04:30:00Z", "America/New_York", "Dec 31, 2025, 11:30:00 PM"], // the year in the zone
    ["never", "UTC", "never"],
  ])("always has the day and the time: %s", (moment, zone, text) => {
    expect(clockOf("en", zone).brief(moment, now).replace(/\s/g, " ")).toBe(text);
  });

  it("is exact in the zone and the language", () => {
    const moment = "2026-03-08T23:30:05.123456Z";
    expect(clockOf("en", "UTC").exact(moment).replace(/\s/g, " ")).toBe("Mar 8, 2026, 11:30:05 PM");
    expect(clockOf("de", "Europe/Berlin").exact(moment)).toBe("9. März 2026, 00:30:05");
    expect(clockOf("de", "UTC")).toBe(clockOf("de", "UTC"));
  });
});

describe("user agents", () => {
  const chrome = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36";
  it.each([
    [chrome, "Chrome 126", "macOS"],
    [`${chrome} Edg/126.0.0.0`.replace("Macintosh; Intel Mac OS X 10_15_7", "Windows NT 10.0; Win64; x64"), "Edge 126", "Windows"],
    ["Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox 127", "Linux"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "Safari 17", "iOS 17"],
    ["Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36", "Chrome 126", "Android 14"],
    ["Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot 2.1", ""],
    ["[Boto3/1.26.165 Python/3.10.6 Linux/5.19.0-46-generic Botocore/1.29.165]", "Boto3 1.26", "Linux"],
    ["curl/8.5.0", "curl 8.5", ""],
    ["console.amazonaws.com", "console.amazonaws.com", ""],
    ["x".repeat(50), `${"x".repeat(39)}…`, ""],
    ["", "", ""],
  ])("%s", (text, program, system) => expect(parseUserAgent(text)).toEqual({ program, system }));
});

describe("addresses", () => {
  it.each([
    ["10.1.2.3", "10.1.2.3", "private"],
    ["172.32.0.1", "172.32.0.1", "public"],
    ["::ffff:192.168.1.1", "192.168.1.1", "private"],
    ["::1", "::1", "loopback"],
    ["fe80::1", "fe80::1", "local"],
    ["fd00::1", "fd00::1", "private"],
    ["2001:db8::1", "2001:db8::1", "public"],
  ])("%s", (ip, shown, network) => expect([displayAddress(ip), networkOf(ip)]).toEqual([shown, network]));
});

describe("values", () => {
  const event = { action: "login", description: "", metadata: { a: "1" }, fields: { order: "7" } } as unknown as AuditEvent;

  it("come from the event, its custom fields or its metadata, or are missing", () => {
    expect(valueOf(event, { name: "action", custom: false })).toBe("login");
    expect(valueOf(event, { name: "description", custom: false })).toBeNull();
    expect(valueOf(event, { name: "metadata", custom: false })).toBe('{"a":"1"}');
    expect(valueOf(event, { name: "order", custom: true })).toBe("7");
    expect(valueOf(event, { name: "action", custom: true })).toBeNull();
    expect(valueOf({ ...event, metadata: {} }, { name: "metadata", custom: false })).toBeNull();
  });

  it("keep all digits of numbers", () => {
    const german = new Intl.NumberFormat("de", { maximumFractionDigits: 20 });
    expect(formatNumber("1234567.5", german)).toBe("1.234.567,5");
    expect(formatNumber("12345678901234567891", german)).toBe("12.345.678.901.234.567.891");
    expect(formatNumber("1e9", german)).toBe("1e9");
  });

  it("show JSON in one line", () => {
    expect(jsonInline('{"a": "x", "b": [1, 2], "c": {"d": 1}, "e": null}')).toBe("a: x, b: [2], c: {1}, e: null");
    expect(jsonInline("{no")).toBe("{no");
    expect(jsonInline("3")).toBe("3");
  });
});

describe("initials", () => {
  it.each([
    ["Jane Cooper", "JC"],
    ["Maria de la Cruz", "MC"],
    ["jane.cooper@example.com", "J"],
    ["svc-billing", "SB"],
    ["çetin", "Ç"],
    ["山田 太郎", "山太"],
    ["👩 x", "X"],
    ["", ""],
  ])("of %j are %j", (name, initials) => expect(initialsOf(name)).toBe(initials));
});
