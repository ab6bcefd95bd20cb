import { describe, expect, it } from "vitest";

import { type Change, diffJson } from "../src/model/diff.js";

const brief = (before: string | null, after: string | null): string[] =>
  (diffJson(before, after) as Change[]).map(({ path, kind, before: old, after: now }) => `${kind} ${path.join(".")} ${old} ${now}`);

describe("changes", () => {
  it("are listed key by key", () => {
    expect(brief('{"a": 1, "b": {"c": "x", "d": true}, "gone": null}', '{"b": {"d": true, "c": "y"}, "a": 1, "new": [1]}')).toEqual([
      "same a 1 1",
      "changed b.c x y",
      "same b.d true true",
      "removed gone null null",
      "added new null [\n  1\n]",
    ]);
  });

  it("in lists are limited to the inserted and removed items", () => {
    expect(brief('{"l": ["a", "b", "c"]}', '{"l": ["a", "x", "b", "c"]}')).toEqual([
      "same l.0 a a",
      "added l.1 null x",
      "same l.2 b b",
      "same l.3 c c",
    ]);
    expect(brief("[1, 2, 3]", "[1, 3]")).toEqual(["same 0 1 1", "removed 1 2 null", "same 1 3 3"]);
    expect(brief('[{"id": 1, "n": "a"}]', '[{"id": 1, "n": "b"}]')).toEqual(["same 0.id 1 1", "changed 0.n a b"]);
  });

  it("of a created or deleted value list its keys", () => {
    expect(brief(null, '{"a": 1}')).toEqual(["added a null 1"]);
    expect(brief('{"a": 1}', null)).toEqual(["removed a 1 null"]);
    expect(brief(null, '"text"')).toEqual(["added  null text"]);
    expect(brief(null, null)).toEqual([]);
  });

  it("keep every digit and hostile keys", () => {
    expect(brief('{"n": 12345678901234567890}', '{"n": 12345678901234567891}')).toEqual([
      "changed n 12345678901234567890 12345678901234567891",
    ]);
    expect(brief('{"__proto__": {"a": 1}}', '{"__proto__": {"a": 2}}')).toEqual(["changed __proto__.a 1 2"]);
  });

  it("between types are of whole values; text that is not JSON has none", () => {
    expect(brief('{"a": {"b": 1}}', '{"a": 2}')).toEqual(['changed a {\n  "b": 1\n} 2']);
    expect(diffJson("no json", "{}")).toBeNull();
    const deep = `${"[".repeat(500)}1${"]".repeat(500)}`;
    expect(brief(deep, deep.replace("1", "2")).length).toBe(1);
  });
});
