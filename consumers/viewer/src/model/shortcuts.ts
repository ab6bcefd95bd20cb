/** The viewer's keyboard shortcuts. */

export type Shortcut = "search" | "filter" | "period" | "next" | "previous" | "open" | "close" | "copyLink" | "download" | "help";

/** The keys of each shortcut, as in `KeyboardEvent.key`. Those shown in the help come first. */
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
/** Keys that have another effect in a focused control. */
const OF_CONTROLS = new Set(["Enter", "ArrowDown", "ArrowUp"]);

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  isComposing: boolean;
}

/**
 * Returns a key's shortcut, or null. `typing` means that the focus is in a text field, and
 * `control` that it is in any control.
 */
export function shortcutOf(pressed: Pressed, { typing, control }: { typing: boolean; control: boolean }): Shortcut | null {
  if (typing || pressed.isComposing || pressed.ctrlKey || pressed.metaKey || pressed.altKey) return null;
  if (control && OF_CONTROLS.has(pressed.key)) return null;
  const found = Object.entries(SHORTCUTS).find(([, keys]) => keys.includes(pressed.key));
  return found ? (found[0] as Shortcut) : null;
}
