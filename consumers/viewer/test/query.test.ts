import { describe, expect, it } from "vitest";

import { formatTerm, parseTerm, splitAlternatives, splitTerms, wildcardTerm, withoutTerm, withTerm } from "../src/model/query.js";

describe("terms", () => {
  it.each([
    ["action", "login", false, "action:login"],
    ["actor", "jane@x.io", true, "-actor:jane@x.io"],
    ["description", 'say "hi" \\', false, 'description:"say \\"hi\\" \\\\"'],
    ["action", "a..b", false, 'action:"a..b"'],
    ["action", "log*", false, 'action:"log*"'],
    ["metadata.a:b", "x", false, "metadata.a\\:b:x"],
    ["ip", null, false, "-ip:*"],
    ["ip", "", true, "ip:*"],
  ])("%s, %s, %s", (parameter, value, negated, text) => {
    expect(formatTerm(parameter, value, negated)).toBe(text);
  });

  it("match the beginning or the middle of a value", () => {
    expect(wildcardTerm("action", "log in", "first")).toBe("action:log\\ in*");
    expect(wildcardTerm("ip", "::1", "within")).toBe("ip:*\\:\\:1*");
  });

  it("are separated by spaces outside of quotes and brackets", () => {
    expect(splitTerms('a:1 "b c" -(d:2 OR e:"f )") g:"h i"  OR j\\ k')).toEqual([
      "a:1",
      '"b c"',
      '-(d:2 OR e:"f )")',
      'g:"h i"',
      "OR",
      "j\\ k",
    ]);
    expect(splitAlternatives("a:1 AND NOT b:2 OR -c:3 d")).toEqual([
      ["a:1", "NOT b:2"],
      ["-c:3", "d"],
    ]);
    expect(splitAlternatives("  ")).toEqual([]);
  });

  it("are added once; alternatives are bracketed", () => {
    expect(withTerm("", "b:2")).toBe("b:2");
    expect(withTerm("a:1", "b:2")).toBe("a:1 b:2");
    expect(withTerm("a:1 b:2", "b:2")).toBe("a:1 b:2");
    expect(withTerm("a:1 OR b:2", "b:2")).toBe("(a:1 OR b:2) b:2");
  });

  it("are removed with their operator", () => {
    expect(withoutTerm("a:1 b:2 c:3", "b:2")).toBe("a:1 c:3");
    expect(withoutTerm("a:1", "b:2")).toBe("a:1");
    expect(withoutTerm("a:1 OR b:2 c:3", "a:1")).toBe("b:2 c:3");
    expect(withoutTerm("a:1 OR b:2 c:3", "b:2")).toBe("a:1 OR c:3");
    expect(withoutTerm("a:1 AND NOT b:2", "NOT b:2")).toBe("a:1");
  });

  it.each([
    ["login", { kind: "word", negated: false, value: "login" }],
    ['-"a: b"', { kind: "word", negated: true, value: "a: b" }],
    ["NOT action:login", { kind: "is", negated: true, parameter: "action", value: "login" }],
    ["metadata.a\\:b:x:y", { kind: "is", negated: false, parameter: "metadata.a:b", value: "x:y" }],
    ['action:"a \\"*\\""', { kind: "is", negated: false, parameter: "action", value: 'a "*"' }],
    ["action:a\\*b", { kind: "is", negated: false, parameter: "action", value: "a*b" }],
    ["action:log*", { kind: "like", negated: false, parameter: "action", value: "log*" }],
    ["severity:>=High", { kind: ">=", negated: false, parameter: "severity", value: "High" }],
    ["-ip:*", { kind: "any", negated: true, parameter: "ip", value: "" }],
    ["-(a:1 OR b:2)", { kind: "group", negated: true, value: "(a:1 OR b:2)" }],
  ])("are parsed: %s", (text, parsed) => {
    expect(parseTerm(text)).toEqual(parsed);
  });
});
