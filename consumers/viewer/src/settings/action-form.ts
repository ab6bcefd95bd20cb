import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, query, state } from "lit/decorators.js";

import { Problem } from "../api/problem.js";
import { customElement } from "../elements/define.js";
import {
  ACTION_KEYS,
  type ActionForm as Form,
  actionForm,
  actionFromForm,
  actionInputOf,
  type ActionKey,
  invalidPlaceholder,
  MAX_ACTION_LENGTH,
  PLACEHOLDERS,
  validateAction,
} from "../model/action-form.js";
import { baseStyles } from "../styles/base.js";
import { fieldFormStyles } from "./field-form.styles.js";
import { textInput } from "./inputs.js";
import { problemNote } from "./problem-note.js";
import { dialogStyles, noteStyles, sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

/**
 * @summary A dialog that adds an action or changes its labels and sentences.
 *
 * @event closed - The dialog was closed.
 */
@customElement("auditlane-settings-action-form")
export class ActionForm extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, dialogStyles, noteStyles, fieldFormStyles, dialogStyles];

  /** The name of the action, or "" for a new one. */
  @property() action = "";

  @state() private form: Form = actionForm(undefined);
  @state() private messages: Partial<Record<ActionKey | "", string>> = {};
  @state() private problem: Problem | null = null;
  @state() private sending = false;
  /** The inputs that show errors. These are inputs that have lost focus, and all inputs after the first submit. */
  @state() private visited: ReadonlySet<ActionKey> = new Set();
  @query("dialog") private dialog!: HTMLDialogElement;

  override connectedCallback(): void {
    super.connectedCallback();
    this.form = actionForm(this.known.find(({ name }) => name === this.action));
  }

  protected override firstUpdated(_: PropertyValues<this>): void {
    this.dialog.showModal();
    this.renderRoot.querySelector<HTMLElement>(this.action ? `#${this.settings.language}` : "#name")?.focus();
  }

  protected override render(): TemplateResult {
    const words = this.text.actions.form;
    return html`<dialog aria-labelledby="title" @cancel=${this.onCancel} @close=${this.onClose}>
      <form class="inside" novalidate @submit=${this.onSubmit}>
        <div>
          <h3 id="title">${this.action ? words.changeTitle(this.action) : words.title}</h3>
          <p class="quietly">${words.lead}</p>
        </div>
        <div class="inputs">
          ${this.action ? nothing : this.renderInput("name", words.name, this.replacesBuiltIn ? words.replaces : words.nameHint)}
          ${this.renderInput("en", words.en, words.labelHint)} ${this.renderInput("de", words.de)}
        </div>
        <details ?open=${Boolean(this.action && this.form.sentenceEn)}>
          <summary>${words.sentences}</summary>
          <p class="quietly">${words.sentencesLead}</p>
          <p class="quietly"><code>${PLACEHOLDERS}</code></p>
          <div class="inputs">
            ${this.renderInput("sentenceEn", words.sentenceEn, words.sentenceHint)} ${this.renderInput("sentenceDe", words.sentenceDe)}
            ${this.renderInput("attemptedEn", words.attemptedEn, words.attemptedHint)} ${this.renderInput("attemptedDe", words.attemptedDe)}
          </div>
        </details>
        ${this.problem ? problemNote(this.problem, this.settings.text, null, this.text.saveFailed) : nothing}
        <p class="bad" role="alert">${this.messages[""] ?? nothing}</p>
        <div class="feet">
          <button type="button" @click=${() => this.dialog.close()}>${this.text.cancel}</button>
          <button type="submit" class="primary" aria-disabled=${this.sending}>
            ${this.sending ? `${this.text.form.sending}…` : this.action ? words.submitChange : words.submit}
          </button>
        </div>
      </form>
    </dialog>`;
  }

  private renderInput(key: ActionKey, label: string, hint = ""): TemplateResult {
    const error = this.visited.has(key) ? this.errors()[key] : undefined;
    const { form } = this.text.actions;
    const faults = { ...form, needed: this.text.form.faults.needed, placeholder: form.placeholder(invalidPlaceholder(this.form[key]), PLACEHOLDERS) };
    const options = {
      key,
      label,
      hint,
      value: this.form[key],
      error: this.messages[key] ?? (error ? faults[error] : ""),
      onInput: (value: string | boolean) => this.onInput(key, String(value)),
      onBlur: () => (this.visited = new Set([...this.visited, key])),
    };
    return textInput(options, { maxlength: MAX_ACTION_LENGTH[key], code: key === "name" });
  }

  private get known() {
    return this.settings.catalogue?.actions ?? [];
  }

  private get replacesBuiltIn(): boolean {
    return this.known.some(({ name, builtIn }) => builtIn && name === this.form.name.trim());
  }

  private errors(): ReturnType<typeof validateAction> {
    return validateAction(this.form, this.known, !this.action);
  }

  private onInput(key: ActionKey, value: string): void {
    const { [key]: _, "": __, ...others } = this.messages;
    this.messages = others;
    this.form = { ...this.form, [key]: value };
  }

  private readonly onSubmit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (this.sending) return;
    if (Object.keys(this.errors()).length) {
      this.visited = new Set(ACTION_KEYS);
      this.messages = { "": this.text.form.fixFirst };
      await this.focusError();
      return;
    }
    this.sending = true;
    this.problem = null;
    this.messages = {};
    try {
      await this.settings.nameAction(actionFromForm(this.form));
      this.dialog.close();
    } catch (cause) {
      this.showProblem(Problem.from(cause));
      await this.focusError();
    } finally {
      this.sending = false;
    }
  };

  private showProblem(problem: Problem): void {
    if (problem.status === 412) this.messages = { "": this.text.actions.form.stale };
    else if (problem.status !== 400) this.problem = problem;
    else {
      const errors = problem.errors.length ? problem.errors : [{ field: problem.field, message: `${problem.detail} ${problem.fix}`.trim() }];
      this.messages = Object.fromEntries(errors.map(({ field, message }) => [actionInputOf(field) ?? "", message]));
    }
  }

  private async focusError(): Promise<void> {
    await this.updateComplete;
    const input = this.renderRoot.querySelector<HTMLElement>("[aria-invalid=true]");
    input?.closest("details")?.setAttribute("open", "");
    input?.focus();
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
    "auditlane-settings-action-form": ActionForm;
  }
}
