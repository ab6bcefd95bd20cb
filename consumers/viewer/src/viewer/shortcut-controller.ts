/** Listens for keyboard shortcuts in the viewer, or on the whole page if the page contains nothing else. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

import { type Shortcut, shortcutOf } from "../model/shortcuts.js";

const NO_TEXT = new Set(["checkbox", "radio", "button", "submit", "reset", "range", "color", "file"]);
/** Dialogs and open panels have their own keys. */
const LAYERS = "dialog[open], [popover]:popover-open";

interface Hooks {
  /** Returns whether shortcuts work wherever the focus is in the page. */
  wholePage: () => boolean;
  /** Returns whether the shortcut did something. */
  run: (shortcut: Shortcut) => boolean;
}

export class ShortcutController implements ReactiveController {
  constructor(
    private readonly host: ReactiveControllerHost & HTMLElement,
    private readonly hooks: Hooks,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    document.addEventListener("keydown", this.onKeydown);
  }

  hostDisconnected(): void {
    document.removeEventListener("keydown", this.onKeydown);
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    if (event.defaultPrevented) return;
    const path = event.composedPath();
    const elements = path.filter((target) => target instanceof Element);
    const target = elements[0];
    if (!target || (!this.hooks.wholePage() && !path.includes(this.host))) return;
    if (elements.some((element) => element.matches(LAYERS))) return;
    const control = target !== document.body && target !== document.documentElement && target !== this.host;
    const shortcut = shortcutOf(event, { typing: isTextField(target), control });
    if (shortcut && this.hooks.run(shortcut)) event.preventDefault();
  };
}

function isTextField(element: Element): boolean {
  if (element instanceof HTMLInputElement) return !NO_TEXT.has(element.type);
  return element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement || (element instanceof HTMLElement && element.isContentEditable);
}
