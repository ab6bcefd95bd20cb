/** Moves the active row with the keyboard. */

/** Returns the new active row after a key was pressed on row `from` (-1 for none). Returns null if the key does not move the row. */
export function rowForKey(key: string, from: number, last: number, screenful: number): number | null {
  const within = (row: number): number => Math.max(0, Math.min(last, row));
  switch (key) {
    case "ArrowDown":
      return within(from + 1);
    case "ArrowUp":
      return within(Math.max(0, from) - 1);
    case "PageDown":
      return within(Math.max(0, from) + screenful);
    case "PageUp":
      return within(from - screenful);
    case "Home":
      return 0;
    case "End":
      return within(last);
    default:
      return null;
  }
}
