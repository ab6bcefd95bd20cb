import { describe, expect, it } from "vitest";

import {
  caretPhrasesAt,
  caretTermAt,
  withBeginning,
  withField,
  withOperator,
  withoutTermAt,
  withRaw,
  withValue,
} from "../src/model/completion.js";

/** Reads the caret's position from a | in the text. */
function at(marked: string) {
  const caret = marked.indexOf("|");
  const text = marked.replace("|", "");
  const caretTerm = caretTermAt(text, caret);
  return { text, place: caretTerm, seen: caretTerm && [caretTerm.kind, caretTerm.field, caretTerm.operator, caretTerm.typed, caretTerm.negated] };
}

const marked = ([text, caret]: readonly [string, number]): string => `${text.slice(0, caret)}|${text.slice(caret)}`;

describe("the term at the caret", () => {
  it.each([
    ["|", ["field", "", "", "", false]],
    ["act|", ["field", "", "", "act", false]],
    ["ip:* -(act|)", ["field", "", "", "act", false]],
    ["-ac|tion:login", ["field", "", "", "ac", true]],
    ["action:|", ["value", "action", "", "", false]],
    ["(action:log|in) x", ["value", "action", "", "log", false]],
    ['-action:"log in|', ["value", "action", "", "log in", true]],
    ["severity:>=Hi|", ["value", "severity", ">=", "Hi", false]],
    ["metadata.a\\:b:x\\ y|", ["value", "metadata.a:b", "", "x y", false]],
    ["login |", ["field", "", "", "", false]],
  ])("at %s", (text, seen) => {
    expect(at(text).seen).toEqual(seen);
  });

  it("does not exist within a phrase", () => {
    expect(at('"log in|').place).toBeNull();
    expect(at('ip:* "log|" x').place).toBeNull();
  });
});

describe("the words before the caret", () => {
  const phrases = (marked: string) => {
    const caret = marked.indexOf("|");
    return caretPhrasesAt(marked.replace("|", ""), caret).map(({ typed, begin, end }) => [typed, begin, end]);
  };

  it.each([
    ["login failed|", [["login failed", 0, 12]]],
    ["ip:* (sign-in fai|led) x", [["sign-in fai", 6, 20]]],
    ["jane user.login  failed|", [["jane user.login  failed", 0, 23], ["user.login  failed", 5, 23]]],
  ])("at %s", (text, found) => {
    expect(phrases(text)).toEqual(found);
  });

  it.each(["login|", "ip:* failed|", "-login failed|", '"log in" failed|', "a OR failed|", "login |", "|"])("are fewer than two at %s", (text) => {
    expect(phrases(text)).toEqual([]);
  });
});

describe("a suggestion", () => {
  it.each([
    ["x -act|", "action", "x -action:|"],
    ["(ac|x:login)", "action", "(action:|login)"],
    ["|", "metadata.a:b", "metadata.a\\:b:|"],
  ])("of a field in %s", (text, field, after) => {
    const { text: plain, place } = at(text);
    expect(place && marked(withField(plain, place, field))).toBe(after);
  });

  it.each([
    ["action:lo|", "log in", 'action:"log in" |'],
    ["(action:lo|gin) x", "logout", "(action:logout|) x"],
    ["severity:>=H|", "High", "severity:>=High |"],
    ["ip:|", null, "-ip:* |"],
    ["a -ip:1| b", null, "a ip:*| b"],
  ])("of a value in %s", (text, value, after) => {
    const { text: plain, place } = at(text);
    expect(place && marked(withValue(plain, place, value))).toBe(after);
  });

  it("inserts an operator or a wildcard", () => {
    const { text, place } = at("x action:lo|");
    expect(place && marked(withRaw(text, place, "lo*"))).toBe("x action:lo* |");
    expect(place && marked(withOperator(text, place, ">="))).toBe("x action:>=|");
    expect(place && withoutTermAt(text, place)).toBe("x");
    const key = at("meta|");
    expect(key.place && marked(withBeginning(key.text, key.place, "metadata."))).toBe("metadata.|");
  });
});
