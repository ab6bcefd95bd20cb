import { html, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";

import { customElement } from "../elements/define.js";
import { baseStyles } from "../styles/base.js";
import { dialogStyles, sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

export interface ConfirmRequest {
  title: string;
  lines: string[];
  /** The label of the confirm button. */
  confirm: string;
  /** The label of the cancel button, by default "Cancel". */
  cancel?: string;
}

/** @summary A dialog that asks for confirmation. */
@customElement("auditlane-settings-confirm")
export class ConfirmDialog extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, dialogStyles];

  @state() private request: ConfirmRequest | null = null;
  @query("dialog") private dialog!: HTMLDialogElement;

  private resolve: (yes: boolean) => void = () => {};

  /** Shows the dialog, and resolves to whether the user confirmed. */
  async ask(request: ConfirmRequest): Promise<boolean> {
    this.resolve(false); // cancels a request that is still pending
    this.request = request;
    await this.updateComplete;
    this.dialog.showModal();
    this.renderRoot.querySelector<HTMLElement>("#stay")?.focus();
    return await new Promise((resolve) => (this.resolve = resolve));
  }

  protected override render(): TemplateResult {
    const { request } = this;
    return html`<dialog aria-labelledby="title" aria-describedby="lines" @close=${this.onClose}>
      <form class="inside" method="dialog">
        <h3 id="title">${request?.title}</h3>
        <div id="lines">${request?.lines.map((line) => html`<p>${line}</p>`)}</div>
        <div class="feet">
          <button id="stay" value="no">${request?.cancel ?? this.text.cancel}</button>
          <button value="yes" class="primary">${request?.confirm}</button>
        </div>
      </form>
    </dialog>`;
  }

  private readonly onClose = (): void => {
    this.resolve(this.dialog.returnValue === "yes");
    this.dialog.returnValue = "";
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-confirm": ConfirmDialog;
  }
}
