import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, query, state } from "lit/decorators.js";

import { Problem } from "../api/problem.js";
import { customElement } from "../elements/define.js";
import { visible } from "../model/format/text.js";
import {
  invalidLinkPlaceholder,
  LINK_PLACEHOLDERS,
  type LinkForm as Form,
  type LinkKey,
  MAX_LINK_LENGTH,
  validateLink,
} from "../model/link-form.js";
import { baseStyles } from "../styles/base.js";
import { fieldFormStyles } from "./field-form.styles.js";
import { textInput } from "./inputs.js";
import { problemNote } from "./problem-note.js";
import { dialogStyles, noteStyles, sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

/**
 * @summary A dialog that adds or changes the link for a resource type.
 *
 * @event closed - The dialog was closed.
 */
@customElement("auditlane-settings-link-form")
export class LinkForm extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, noteStyles, fieldFormStyles, dialogStyles];

  /** The type of the resource, or "" for a new link. */
  @property() type = "";

  @state() private form: Form = { resource: "", address: "" };
  @state() private messages: Partial<Record<LinkKey | "", string>> = {};
  @state() private problem: Problem | null = null;
  @state() private sending = false;
  /** The inputs that show errors. These are inputs that have lost focus, and all inputs after the first submit. */
  @state() private visited: ReadonlySet<LinkKey> = new Set();
  @query("dialog") private dialog!: HTMLDialogElement;

  override connectedCallback(): void {
    super.connectedCallback();
    this.form = { resource: this.type, address: this.settings.links().own[this.type] ?? "" };
  }

  protected override firstUpdated(_: PropertyValues<this>): void {
    this.dialog.showModal();
    this.renderRoot.querySelector<HTMLElement>(this.type ? "#address" : "#resource")?.focus();
  }

  protected override render(): TemplateResult {
    const words = this.text.links.form;
    return html`<dialog aria-labelledby="title" @cancel=${this.onCancel} @close=${this.onClose}>
      <form class="inside" novalidate @submit=${this.onSubmit}>
        <div>
          <h3 id="title">${this.type ? words.changeTitle(visible(this.type)) : words.title}</h3>
          <p class="quietly">${words.lead}</p>
        </div>
        <div class="inputs">
          ${this.type ? nothing : this.renderInput("resource", words.resource, words.resourceHint)}
          ${this.renderInput("address", words.address, words.addressHint)}
          <p class="quietly"><code>${LINK_PLACEHOLDERS}</code></p>
        </div>
        ${this.problem ? problemNote(this.problem, this.settings.text, null, this.text.saveFailed) : nothing}
        <p class="bad" role="alert">${this.messages[""] ?? nothing}</p>
        <div class="feet">
          <button type="button" @click=${() => this.dialog.close()}>${this.text.cancel}</button>
          <button type="submit" class="primary" aria-disabled=${this.sending}>
            ${this.sending ? `${this.text.form.sending}…` : words.submit}
          </button>
        </div>
      </form>
    </dialog>`;
  }

  private renderInput(key: LinkKey, label: string, hint: string): TemplateResult {
    const error = this.visited.has(key) ? this.errors()[key] : undefined;
    const words = this.text.links.form;
    const placeholder = words.placeholder(invalidLinkPlaceholder(this.form.address), LINK_PLACEHOLDERS);
    const faults = { ...words, needed: this.text.form.faults.needed, placeholder };
    const options = {
      key,
      label,
      hint,
      value: this.form[key],
      error: this.messages[key] ?? (error ? faults[error] : ""),
      onInput: (value: string | boolean) => this.onInput(key, String(value)),
      onBlur: () => (this.visited = new Set([...this.visited, key])),
    };
    return textInput(options, { maxlength: MAX_LINK_LENGTH[key], code: true });
  }

  private errors(): ReturnType<typeof validateLink> {
    return validateLink(this.form, this.type ? [] : Object.keys(this.settings.links().own));
  }

  private onInput(key: LinkKey, value: string): void {
    const { [key]: _, "": __, ...others } = this.messages;
    this.messages = others;
    this.form = { ...this.form, [key]: value };
  }

  private readonly onSubmit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (this.sending) return;
    if (Object.keys(this.errors()).length) {
      this.visited = new Set(["resource", "address"]);
      this.messages = { "": this.text.form.fixFirst };
      await this.focusError();
      return;
    }
    this.sending = true;
    this.problem = null;
    this.messages = {};
    const [resource, address] = [this.form.resource.trim(), this.form.address.trim()];
    try {
      await this.settings.changeLinks((links) => ({ ...links, [resource]: address }), this.text.links.saved(visible(resource)));
      this.dialog.close();
    } catch (cause) {
      this.showProblem(Problem.from(cause));
      await this.focusError();
    } finally {
      this.sending = false;
    }
  };

  private showProblem(problem: Problem): void {
    if (problem.status === 412) this.messages = { "": this.text.links.form.stale };
    else if (problem.status !== 400) this.problem = problem;
    else this.messages = { address: problem.errors[0]?.message ?? `${problem.detail} ${problem.fix}`.trim() };
  }

  private async focusError(): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }

  private readonly onCancel = (event: Event): void => {
    if (this.sending) event.preventDefault();
  };

  private readonly onClose = (): void => {
    this.dispatchEvent(new Event("closed"));
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-link-form": LinkForm;
  }
}
