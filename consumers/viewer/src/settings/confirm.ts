/** `<auditlane-settings-confirm>`: asks before something that people may regret. */
import { html, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";

import { base } from "../styles/base.js";
import { SettingsElement } from "./settings-element.js";
import { dialog, section } from "./section.styles.js";

export interface Question {
  title: string;
  lines: string[];
  /** The button that does it. */
  go: string;
  /** The button that does not; "Cancel" unless it is said. */
  stay?: string;
}

@customElement("auditlane-settings-confirm")
export class Confirm extends SettingsElement {
  static override styles = [base, section, dialog];

  @state() private question: Question | null = null;
  @query("dialog") private box!: HTMLDialogElement;

  private answer: (yes: boolean) => void = () => {};

  /** Whether the person wants it. */
  async ask(question: Question): Promise<boolean> {
    this.answer(false); // of a question that was still open
    this.question = question;
    await this.updateComplete;
    this.box.showModal();
    this.renderRoot.querySelector<HTMLElement>("#stay")?.focus();
    return await new Promise((resolve) => (this.answer = resolve));
  }

  protected override render(): TemplateResult {
    const { question } = this;
    return html`<dialog aria-labelledby="title" aria-describedby="lines" @close=${this.closed}>
      <form class="inside" method="dialog">
        <h3 id="title">${question?.title}</h3>
        <div id="lines">${question?.lines.map((line) => html`<p>${line}</p>`)}</div>
        <div class="feet">
          <button id="stay" value="no">${question?.stay ?? this.text.cancel}</button>
          <button value="yes" class="primary">${question?.go}</button>
        </div>
      </form>
    </dialog>`;
  }

  private readonly closed = (): void => {
    this.answer(this.box.returnValue === "yes");
    this.box.returnValue = "";
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-confirm": Confirm;
  }
}
