import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, query, state } from "lit/decorators.js";

import { Problem } from "../api/problem.js";
import type { FieldInput, FieldType } from "../api/structure.js";
import { customElement } from "../elements/define.js";
import {
  compatibleTypes,
  emptyForm,
  type Form,
  type FormError,
  formFromField,
  type Key,
  nameFromLabel,
  requestFromForm,
  TYPES,
  validateForm,
} from "../model/structure/form.js";
import { errorMessages, type ErrorMessages } from "../model/structure/server-errors.js";
import { baseStyles } from "../styles/base.js";
import { formPreview } from "./field-form-preview.js";
import { ruleInputs, visibilityInputs } from "./field-form-rules.js";
import { fieldFormStyles } from "./field-form.styles.js";
import { checkbox, type InputOptions, selectInput, textArea, textInput } from "./inputs.js";
import { problemNote } from "./problem-note.js";
import { sampleStyles } from "./sample-table.js";
import { dialogStyles, noteStyles, sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

/**
 * @summary A dialog that adds or changes a custom field.
 *
 * @event closed - The dialog was closed.
 */
@customElement("auditlane-settings-form")
export class FieldForm extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, dialogStyles, noteStyles, ...sampleStyles, fieldFormStyles];

  /** The name of the field, or "" for a new one. */
  @property() field = "";

  @state() private form: Form = emptyForm();
  @state() private messages: ErrorMessages = {};
  @state() private problem: Problem | null = null;
  @state() private sending = false;
  /** The inputs that show errors. These are inputs that have lost focus, and all inputs after the first submit. */
  @state() private visited: ReadonlySet<Key> = new Set();
  /** Whether the rules are expanded. */
  @state() private rulesOpen = false;
  @query("dialog") private dialog!: HTMLDialogElement;

  private previous: Form | null = null;
  private nameEdited = false; // whether the user typed the name, so that it no longer follows the label
  private rulesKnown = true;

  override connectedCallback(): void {
    super.connectedCallback();
    this.initialize();
  }

  protected override firstUpdated(_: PropertyValues<this>): void {
    this.dialog.showModal();
    this.renderRoot.querySelector<HTMLElement>("#displayName")?.focus();
  }

  private get isNew(): boolean {
    return !this.field;
  }

  /** Whether a tenant's field inherits its type and rules from the environment. */
  private get inheritsRules(): boolean {
    const field = this.settings.loaded?.structure.fields.find((field) => field.name === this.field);
    return !this.isNew && this.settings.tenant !== null && !!field?.inherited;
  }

  private get rulesReadOnly(): boolean {
    return this.inheritsRules || !this.rulesKnown;
  }

  /** Whether the label can be changed. For an existing field, that requires permission to change the presentation. */
  private get canRename(): boolean {
    return this.isNew || this.settings.canConfigure;
  }

  private get canSubmit(): boolean {
    return this.canRename || !this.rulesReadOnly;
  }

  /** The current value in the contract. Null for the environment, which has none. */
  private get exclusive(): boolean | null {
    return this.settings.tenant === null ? null : (this.settings.contract?.exclusive ?? false);
  }

  private initialize(): void {
    const { loaded, contract } = this.settings;
    this.form = { ...this.form, exclusive: this.exclusive ?? false };
    if (this.isNew) return;
    const field = loaded?.structure.fields.find((field) => field.name === this.field);
    const known = contract?.fields.find((field) => field.name === this.field);
    this.rulesKnown = !!known;
    const bare = { name: this.field, type: "AlphaNumeric", default: null, rules: {}, shown: true, displayName: "" } as const;
    this.rulesOpen = true;
    if (!field) return;
    this.form = formFromField(field, known ?? bare, this.form.exclusive);
    this.previous = this.form;
  }

  protected override render(): TemplateResult {
    const words = this.text.form;
    const { draft, sample, tenant, cellContext } = this.settings;
    const label = this.form.displayName.trim() || this.form.name;
    return html`<dialog aria-labelledby="title" @cancel=${this.onCancel} @close=${this.onClose}>
      <form class="inside" novalidate @submit=${this.onSubmit}>
        <div>
          <h3 id="title">${this.isNew ? words.title : words.changeTitle(this.previous?.displayName ?? label)}</h3>
          ${this.isNew ? html`<p class="quietly">${words.lead}</p>` : nothing}
        </div>
        <div class="sides">
          <div class="inputs">
            ${this.renderNames()}${this.renderRules()}
            ${this.isNew ? visibilityInputs(this.form, this.text, (changes) => this.setForm(changes)) : nothing}
            ${this.renderExclusive()}
          </div>
          ${formPreview({ form: this.form, fields: draft?.fields ?? [], events: sample, tenant, cellContext, words: this.text })}
        </div>
        ${this.problem ? problemNote(this.problem, this.settings.text, null, this.settings.text.settings.saveFailed) : nothing}
        <p class="bad" role="alert">${this.messages[""] ?? nothing}</p>
        <div class="feet">
          <button type="button" @click=${() => this.dialog.close()}>${this.canSubmit ? this.text.cancel : this.text.close}</button>
          ${this.canSubmit
            ? html`<button type="submit" class="primary" aria-disabled=${this.sending}>
                ${this.sending ? `${words.sending}…` : this.isNew ? words.submit : words.submitChange}
              </button>`
            : nothing}
        </div>
      </form>
    </dialog>`;
  }

  private renderNames(): TemplateResult {
    const words = this.text.form;
    return html`
      ${textInput({ ...this.inputFor("displayName", words.displayName, words.displayNameHint), disabled: !this.canRename }, { maxlength: 200 })}
      ${textInput({ ...this.inputFor("name", words.name, words.nameHint), disabled: !this.isNew }, { maxlength: 100, code: true })}
      ${this.inheritsRules ? html`<p class="quietly">${words.inherited}</p>` : nothing}
      ${this.rulesKnown ? this.renderType() : html`<p class="quietly">${words.noRules}</p>`}
    `;
  }

  private renderType(): TemplateResult {
    const { types, typeHints, form: words } = this.text;
    const known = this.isNew ? TYPES : compatibleTypes(this.previous?.type ?? "AlphaNumeric");
    const options = known.map((one): [string, string] => [one, types[one]]);
    const values = this.inputFor("oneOf", words.oneOf, words.oneOfHint);
    return html`
      ${selectInput({ ...this.inputFor("type", words.type, typeHints[this.form.type]), disabled: this.rulesReadOnly }, options)}
      ${this.form.type === "Enum" ? textArea({ ...values, disabled: this.rulesReadOnly }) : nothing}
    `;
  }

  private renderRules(): TemplateResult | typeof nothing {
    if (!this.rulesKnown) return nothing;
    const words = this.text.form;
    return html`<details ?open=${this.rulesOpen} @toggle=${(event: Event) => (this.rulesOpen = (event.target as HTMLDetailsElement).open)}>
      <summary>${words.rules}<span class="quietly">${words.optional}</span></summary>
      <div>
        <p class="quietly small">${words.rulesHint}</p>
        ${ruleInputs(this.form, this.text, (key, label, hint) => ({ ...this.inputFor(key, label, hint), disabled: this.rulesReadOnly }))}
      </div>
    </details>`;
  }

  /** Renders the option to reject events with the base schema, which only a tenant has. */
  private renderExclusive(): TemplateResult | typeof nothing {
    if (this.settings.tenant === null || this.inheritsRules || !this.rulesKnown) return nothing;
    const words = this.text.form;
    return html`<details>
      <summary>${words.advanced}</summary>
      <div>${checkbox({ ...this.inputFor("exclusive", words.exclusive, words.exclusiveHint), disabled: this.rulesReadOnly })}</div>
    </details>`;
  }

  private inputFor(key: Key, label: string, hint = ""): InputOptions {
    const error = this.visited.has(key) ? this.errors()[key] : undefined;
    return {
      key,
      label,
      hint,
      value: this.form[key],
      error: this.messages[key] ?? (error ? this.text.form.faults[error] : ""),
      onInput: (value) => this.onInput(key, value),
      onBlur: () => (this.visited = new Set([...this.visited, key])),
    };
  }

  private errors(): Partial<Record<Key, FormError>> {
    const { loaded } = this.settings;
    return loaded ? validateForm(this.form, loaded.structure, this.isNew) : {};
  }

  private onInput(key: Key, value: string | boolean): void {
    const { [key]: _, "": __, ...others } = this.messages;
    this.messages = others;
    if (key === "name") this.nameEdited = value !== "";
    if (key === "name" || key === "pattern") this.visited = new Set([...this.visited, key]); // validated while typing
    this.setForm({ [key]: value } as Partial<Form>);
    if (key === "displayName" && this.isNew && !this.nameEdited) {
      this.setForm({ name: nameFromLabel(String(value)) });
      this.visited = new Set([...this.visited, "name"]);
    }
    if (key === "type") this.setForm({ type: value as FieldType, default: "" });
  }

  private setForm(changes: Partial<Form>): void {
    this.form = { ...this.form, ...changes };
  }

  private readonly onSubmit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (this.sending) return;
    const errors = Object.keys(this.errors());
    if (errors.length) {
      this.visited = new Set(["displayName", "name", ...Object.keys(this.form)] as Key[]);
      this.messages = { "": this.text.form.fixFirst };
      await this.focusError();
      return;
    }
    const request: FieldInput = requestFromForm(this.form, this.previous, this.exclusive);
    if (!this.isNew && !Object.keys(request).length) return this.dialog.close();
    await this.send(request);
  };

  private async send(request: FieldInput): Promise<void> {
    this.sending = true;
    this.problem = null;
    this.messages = {};
    try {
      if (this.isNew) await this.settings.add(request);
      else await this.settings.change(this.field, request);
      this.dialog.close();
    } catch (cause) {
      const problem = Problem.from(cause);
      if (problem.status === 412) this.messages = { "": this.text.form.stale };
      else if (problem.status === 400 || problem.status === 409) this.messages = errorMessages(problem);
      else this.problem = problem;
      await this.focusError();
    } finally {
      this.sending = false;
    }
  }

  private async focusError(): Promise<void> {
    this.rulesOpen = true; // the error may be in the rules
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
    "auditlane-settings-form": FieldForm;
  }
}
