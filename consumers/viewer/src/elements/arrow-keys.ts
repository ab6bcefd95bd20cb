/** Moves the focus with the keyboard among controls that are a single tab stop, such as tabs. */

/**
 * Returns the control to focus after a key was pressed on one of `controls`, or null if the key does not move the focus.
 *
 * The keys are Home, End, and the two given ones, which wrap around. Prevents their default action.
 */
export function controlForKey<Control extends HTMLElement>(
  event: KeyboardEvent,
  controls: readonly Control[],
  { previous, next }: { previous: string; next: string },
): Control | null {
  const index = controls.findIndex((control) => control === event.target);
  if (index < 0 || event.ctrlKey || event.altKey || event.metaKey) return null;
  const found = { [previous]: controls.at(index - 1), [next]: controls[(index + 1) % controls.length], Home: controls[0], End: controls.at(-1) }[event.key];
  if (found) event.preventDefault();
  return found ?? null;
}
