import { describe, expect, it } from "vitest";

import { controlForKey } from "../src/elements/arrow-keys.js";

const controls = [..."abc"].map((id) => Object.assign(document.createElement("button"), { id }));
const [first, , last] = controls as [HTMLButtonElement, HTMLButtonElement, HTMLButtonElement];

function press(from: HTMLElement, key: string, modifiers: KeyboardEventInit = {}): [string | undefined, boolean] {
  const event = new KeyboardEvent("keydown", { key, cancelable: true, ...modifiers });
  let found: HTMLElement | null = null;
  from.addEventListener("keydown", (pressed) => (found = controlForKey(pressed, controls, { previous: "ArrowUp", next: "ArrowDown" })), { once: true });
  from.dispatchEvent(event);
  return [(found as HTMLElement | null)?.id, event.defaultPrevented];
}

describe("arrow keys", () => {
  it.each([
    [first, "ArrowDown", "b"],
    [first, "ArrowUp", "c"],
    [last, "ArrowDown", "a"],
    [last, "ArrowUp", "b"],
    [last, "Home", "a"],
    [first, "End", "c"],
  ])("from $id with %s to %s", (from, key, to) => expect(press(from, key)).toEqual([to, true]));

  it("leave other keys, modifiers and elements alone", () => {
    expect(press(first, "ArrowRight")).toEqual([undefined, false]);
    expect(press(first, "ArrowDown", { altKey: true })).toEqual([undefined, false]);
    expect(press(document.createElement("input"), "ArrowDown")).toEqual([undefined, false]);
  });
});
