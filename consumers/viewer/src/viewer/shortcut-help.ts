import { css, html, type TemplateResult } from "lit";
import { query } from "lit/decorators.js";

import { customElement } from "../elements/define.js";
import { type Shortcut, SHORTCUTS } from "../model/shortcuts.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { ViewerElement } from "./viewer-element.js";

const KEY_SIGNS: Readonly<Record<string, string>> = { ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc" };

/** @summary A dialog that lists the keyboard shortcuts. */
@customElement("auditlane-shortcut-help")
export class ShortcutHelp extends ViewerElement {
  static override styles = [
    baseStyles,
    css`
      dialog {
        width: min(28rem, calc(100vw - 1.5rem));
        padding: 0.9rem 1.1rem 1.1rem;
        border: 1px solid var(--line);
        border-radius: calc(var(--radius) * 1.5);
        background: var(--ground);
        color: var(--ink);
      }
      dialog::backdrop {
        background: rgb(10 14 20 / 0.45);
      }
      .top,
      dl div {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: 1rem;
      }
      h3,
      dl,
      dd {
        margin: 0;
      }
      dl div {
        padding-block: 0.3rem;
        border-block-end: 1px solid var(--line);
      }
      kbd {
        padding: 0.1em 0.45em;
        border: 1px solid var(--edge);
        border-radius: var(--radius);
        font-family: var(--mono);
      }
    `,
  ];

  @query("dialog") private dialog!: HTMLDialogElement;

  async show(): Promise<void> {
    await this.updateComplete;
    if (!this.dialog.open) this.dialog.showModal();
  }

  protected override render(): TemplateResult {
    const { shortcuts } = this.text.reading;
    const line = (shortcut: Shortcut): TemplateResult => html`<div>
      <dt>${shortcuts.names[shortcut]}</dt>
      <dd>${SHORTCUTS[shortcut].map((key) => html` <kbd>${KEY_SIGNS[key] ?? key}</kbd>`)}</dd>
    </div>`;
    return html`<dialog aria-labelledby="title">
      <div class="top">
        <h3 id="title">${shortcuts.title}</h3>
        <button class="quiet icon" aria-label=${shortcuts.close} title=${shortcuts.close} @click=${() => this.dialog.close()}>${icon("close")}</button>
      </div>
      <dl>${(Object.keys(SHORTCUTS) as Shortcut[]).map(line)}</dl>
    </dialog>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-shortcut-help": ShortcutHelp;
  }
}
