import { describe, expect, it } from "vitest";

import { problemFromBody } from "../src/api/problem.js";
import { de } from "../src/i18n/de/index.js";
import { en } from "../src/i18n/en/index.js";
import { correctField, describeQueryError, errorRange } from "../src/model/query-error.js";

describe("the range of an error", () => {
  it.each([
    ["action:login actr:x ip:*", 14, "actr:x"],
    ["🙂🙂 severity:>=Hi", 15, "Hi"],
    ['x "log in', 3, '"log in'],
    ["(a OR b", 8, ""],
    ["a )b", 3, ")"],
    ["x", 9, ""],
  ])("%s at %i", (query, column, marked) => {
    const [begin, end] = errorRange(query, column);
    expect(query.slice(begin, end)).toBe(marked);
  });
});

describe("a described error", () => {
  const wrong = (members: object) =>
    problemFromBody(
      { code: "FILTER_INVALID", column: 3, detail: "query, column 3: there is no field 'actr'.", fix: "Known: x.", ...members },
      new Response(null, { status: 400 }),
    );
  const known = wrong({ reason: "unknown_field", arguments: { field: "actr", meant: "actor", known: "action, actor" } });

  it("is translated, with the service's arguments", () => {
    expect(describeQueryError(known, en)).toEqual({ text: "there is no field “actr”.", translated: true });
    expect(describeQueryError(known, de)).toEqual({ text: "Ein Feld „actr“ gibt es nicht.", translated: true });
  });

  it.each([
    ["- actr:jane ip:*", { field: "actr", meant: "actor" }, { field: "actor", query: "- actor:jane ip:*" }],
    [String.raw`  meta\-x:1`, { field: "meta-x", meant: "meta-y" }, { field: "meta-y", query: String.raw`  meta\-y:1` }],
    ["- actr:jane", { field: "actr", meant: "" }, null],
  ])("offers the meant field: %s", (query, args, corrected) => {
    expect(correctField(query, wrong({ reason: "unknown_field", arguments: args }))).toEqual(corrected);
    expect(correctField(query, wrong({ reason: "quote_open", arguments: args }))).toBeNull();
  });

  it.each([{}, { reason: "unknown_reason", arguments: {} }, { reason: "constructor" }])("is the service's English otherwise: %j", (members) => {
    expect(describeQueryError(wrong(members), de)).toEqual({ text: "there is no field 'actr'. Known: x.", translated: false });
  });

  it("uses all arguments, in both languages", () => {
    const about = { field: "<field>", value: "<value>", operator: "<operator>", word: "<word>", text: "<text>", most: "<most>" };
    for (const reason of Object.keys(en.mistakes)) {
      const used = [en, de].map((texts) => {
        const { text } = describeQueryError(wrong({ reason, arguments: { ...about, known: "<known>", meant: "" } }), texts);
        expect(text).not.toContain("undefined");
        expect(text).toMatch(/\.$/);
        return [...new Set(text.match(/<\w+>/g))].sort();
      });
      expect(used[0], reason).toEqual(used[1]);
    }
  });
});
