import { describe, expect, it } from "vitest";

import { shortcutOf } from "../src/model/shortcuts.js";

const NOWHERE = { typing: false, control: false };
const pressed = (key: string, more = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, isComposing: false, ...more });

describe("keyboard shortcuts", () => {
  it.each([["/", "search"], ["f", "filter"], ["t", "period"], ["c", "copyLink"], ["d", "download"], ["j", "next"], ["k", "previous"], ["?", "help"], ["Escape", "close"], ["Enter", "open"], ["x", null]])("%s: %s", (key, shortcut) => {
    expect(shortcutOf(pressed(key), NOWHERE)).toBe(shortcut);
  });

  it.each(["/", "j", "k", "f", "t", "c", "d", "?", "Escape", "Enter", "ArrowDown"])("%s is text in a field, and another command with a modifier", (key) => {
    expect(shortcutOf(pressed(key), { typing: true, control: true })).toBeNull();
    for (const modifier of ["ctrlKey", "metaKey", "altKey", "isComposing"]) expect(shortcutOf(pressed(key, { [modifier]: true }), NOWHERE)).toBeNull();
  });

  it("leaves Enter and the arrows to controls", () => {
    const found = ["Enter", "ArrowDown", "ArrowUp", "j"].map((key) => shortcutOf(pressed(key), { typing: false, control: true }));
    expect(found).toEqual([null, null, null, "next"]);
  });
});
