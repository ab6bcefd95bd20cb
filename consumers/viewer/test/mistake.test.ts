import { describe, expect, it } from "vitest";

import { mistakeIn } from "../src/model/mistake.js";

describe("what is underlined", () => {
  it.each([
    ["action:login actr:x ip:*", 14, "actr:x"],
    ["🙂🙂 severity:>=Hi", 15, "Hi"],
    ['x "log in', 3, '"log in'],
    ["(a OR b", 8, ""],
    ["a )b", 3, ")"],
    ["x", 9, ""],
  ])("%s at %i", (query, column, marked) => {
    const [begin, end] = mistakeIn(query, column);
    expect(query.slice(begin, end)).toBe(marked);
  });
});
