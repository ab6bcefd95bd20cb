/** The viewer's keyboard shortcuts. */

export type Shortcut = "search" | "filter" | "period" | "next" | "previous" | "open" | "close" | "copyLink" | "download" | "help";

/** Each shortcut's keys, as in `KeyboardEvent.key`, first those that the help shows. */
export const SHORTCUTS: Readonly<Record<Shortcut, readonly string[]>> = {
  search: ["/"],
  filter: ["f"],
  period: ["t"],
  next: ["j", "ArrowDown"],
  previous: ["k", "ArrowUp"],
  open: ["Enter"],
  close: ["Escape"],
  copyLink: ["c"],
  download: ["d"],
  help: ["?"],
};
/** Keys that do something else in a focused control. */
const OF_CONTROLS = new Set(["Enter", "ArrowDown", "ArrowUp"]);

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  isComposing: boolean;
}

/** Returns a key's shortcut, or null. `typing`: focus is in a text field; `control`: it is in any control. */
export function shortcutOf(pressed: Pressed, { typing, control }: { typing: boolean; control: boolean }): Shortcut | null {
  if (typing || pressed.isComposing || pressed.ctrlKey || pressed.metaKey || pressed.altKey) return null;
  if (control && OF_CONTROLS.has(pressed.key)) return null;
  const found = Object.entries(SHORTCUTS).find(([, keys]) => keys.includes(pressed.key));
  return found ? (found[0] as Shortcut) : null;
}
