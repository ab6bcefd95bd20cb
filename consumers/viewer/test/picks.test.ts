import { describe, expect, it } from "vitest";

import { parsePicks, withoutPicks, withPick } from "../src/model/picks.js";

describe("picked values", () => {
  it.each([
    ["action:login", ["login"], []],
    ["(action:login OR action:\"log out\") ip:*", ["login", "log out"], []],
    ["action:login OR action:logout", ["login", "logout"], []],
    ["-action:login NOT action:logout -action:*", [null], ["login", "logout"]],
    ["action:log* outcome:failure (action:login OR outcome:denied)", [], []],
    ["action:login OR outcome:denied", [], []],
  ])("of %s", (query, only, not) => {
    expect(parsePicks(query, "action")).toEqual({ included: only, excluded: not });
  });

  it("recognize a custom field by its short name", () => {
    expect(parsePicks("order:7 fields.order:8", "fields.order").included).toEqual(["7", "8"]);
  });

  it("are alternatives of each other, combined with the rest of the query", () => {
    let query = withPick("ip:*", "action", "login", "only");
    expect(query).toBe("ip:* action:login");
    query = withPick(query, "action", null, "only");
    expect(query).toBe("ip:* (action:login OR -action:*)");
    query = withPick(query, "action", "login", "not");
    expect(query).toBe("ip:* -action:* -action:login");
    query = withPick(withPick(query, "action", null, null), "action", "login", null);
    expect(query).toBe("ip:*");
    expect(withPick("a:1 OR b:2", "action", "x", "only")).toBe("(a:1 OR b:2) action:x");
    expect(withPick("action:a OR action:b", "action", "c", "only")).toBe("(action:a OR action:b OR action:c)");
    expect(withoutPicks("action:a OR action:b", "action")).toBe("");
    expect(withoutPicks("x (action:a OR action:b) -action:c y", "action")).toBe("x y");
  });
});
