import { describe, expect, it } from "vitest";

import { term, termsOf, withoutTerm, withTerm } from "../src/model/query.js";

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
    expect(term(parameter, value, negated)).toBe(text);
  });

  it("are told apart by spaces that are not in quotes or brackets", () => {
    expect(termsOf('a:1 "b c" -(d:2 OR e:"f )") g:"h i"  OR j\\ k')).toEqual([
      "a:1",
      '"b c"',
      '-(d:2 OR e:"f )")',
      'g:"h i"',
      "OR",
      "j\\ k",
    ]);
  });

  it("go in once, and beside alternatives as a whole", () => {
    expect(withTerm("a:1", "b:2")).toBe("a:1 b:2");
    expect(withTerm("a:1 b:2", "b:2")).toBe("a:1 b:2");
    expect(withTerm("a:1 OR b:2", "c:3")).toBe("(a:1 OR b:2) c:3");
    expect(withoutTerm("a:1 b:2 c:3", "b:2")).toBe("a:1 c:3");
    expect(withoutTerm("a:1", "b:2")).toBe("a:1");
  });
});
