/** The viewer's keyboard shortcuts. */

export type Shortcut = "search" | "next" | "previous" | "open" | "close" | "help";

/** The keys of each shortcut, as in `KeyboardEvent.key`; the first ones are those that the help shows. */
export const SHORTCUTS: Readonly<Record<Shortcut, readonly string[]>> = {
  search: ["/"],
  next: ["j", "ArrowDown"],
  previous: ["k", "ArrowUp"],
  open: ["Enter"],
  close: ["Escape"],
  help: ["?"],
};
/** They do something else in controls that have the focus. */
const OF_CONTROLS = new Set(["Enter", "ArrowDown", "ArrowUp"]);

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  isComposing: boolean;
}

/** Returns the shortcut of a key, or null. `typing`: the focus is in a text field; `control`: it is in any control. */
export function shortcutOf(pressed: Pressed, { typing, control }: { typing: boolean; control: boolean }): Shortcut | null {
  if (typing || pressed.isComposing || pressed.ctrlKey || pressed.metaKey || pressed.altKey) return null;
  if (control && OF_CONTROLS.has(pressed.key)) return null;
  const found = Object.entries(SHORTCUTS).find(([, keys]) => keys.includes(pressed.key));
  return found ? (found[0] as Shortcut) : null;
}
