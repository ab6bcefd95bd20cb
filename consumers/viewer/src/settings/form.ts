/** `<auditlane-settings-form>`: a custom field, to be added or changed. Its event `closed` says that it is over. */
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";

import { Problem } from "../api/problem.js";
import type { FieldType, FieldInput } from "../api/structure.js";
import { type ErrorMessages, errorMessages } from "../model/structure/server-errors.js";
import {
  emptyForm,
  type FormError,
  validateForm,
  type Form,
  formFromField,
  type Key,
  nameFromLabel,
  requestFromForm,
  compatibleTypes,
  TYPES,
} from "../model/structure/form.js";
import { base } from "../styles/base.js";
import { formPreview } from "./form-preview.js";
import { placeInputs, ruleInputs } from "./form-rules.js";
import { formStyles } from "./form.styles.js";
import { area, type Box, check, choose, line } from "./inputs.js";
import { SettingsElement } from "./settings-element.js";
import { sampleStyles } from "./sample-table.js";
import { dialog, note, section } from "./section.styles.js";
import { problemNote } from "./problem-note.js";

@customElement("auditlane-settings-form")
export class FieldForm extends SettingsElement {
  static override styles = [base, section, dialog, note, ...sampleStyles, formStyles];

  /** The field's name; "" for a new one. */
  @property() field = "";

  @state() private form: Form = emptyForm();
  @state() private told: ErrorMessages = {};
  @state() private problem: Problem | null = null;
  @state() private sending = false;
  /** Inputs that were left, or all once it was sent: faults are shown at these. */
  @state() private visited: ReadonlySet<Key> = new Set();
  /** The rules are to be seen. */
  @state() private opened = false;
  @query("dialog") private box!: HTMLDialogElement;

  private was: Form | null = null;
  private named = false; // the name is the person's own, and follows the other no longer
  private readable = true;

  override connectedCallback(): void {
    super.connectedCallback();
    this.begin();
  }

  protected override firstUpdated(_: PropertyValues<this>): void {
    this.box.showModal();
    this.renderRoot.querySelector<HTMLElement>("#displayName")?.focus();
  }

  private get isNew(): boolean {
    return !this.field;
  }

  /** Whether the type and rules are the environment's, and this a tenant. */
  private get theirs(): boolean {
    const field = this.settings.seen?.structure.fields.find((one) => one.name === this.field);
    return !this.isNew && this.settings.tenant !== null && !!field?.inherited;
  }

  private get fixed(): boolean {
    return this.theirs || !this.readable;
  }

  /** Whether anything of it can be changed: a field that there is is named by who shapes the log. */
  private get mayName(): boolean {
    return this.isNew || this.settings.mayChange;
  }

  private get maySend(): boolean {
    return this.mayName || !this.fixed;
  }

  /** What the contract says now; null for everybody's, which cannot say it. */
  private get exclusive(): boolean | null {
    return this.settings.tenant === null ? null : (this.settings.contract?.exclusive ?? false);
  }

  private begin(): void {
    const { seen, contract } = this.settings;
    this.form = { ...this.form, exclusive: this.exclusive ?? false };
    if (this.isNew) return;
    const field = seen?.structure.fields.find((one) => one.name === this.field);
    const known = contract?.fields.find((one) => one.name === this.field);
    this.readable = !!known;
    const bare = { name: this.field, type: "AlphaNumeric", default: null, rules: {}, shown: true, displayName: "" } as const;
    this.opened = true;
    if (field) this.form = this.was = formFromField(field, known ?? bare, this.form.exclusive);
  }

  protected override render(): TemplateResult {
    const words = this.text.form;
    const { draft, sample, tenant, reading } = this.settings;
    const label = this.form.displayName.trim() || this.form.name;
    return html`<dialog aria-labelledby="title" @cancel=${this.cancel} @close=${this.close}>
      <form class="inside" novalidate @submit=${this.submit}>
        <div>
          <h3 id="title">${this.isNew ? words.title : words.changeTitle(this.was?.displayName ?? label)}</h3>
          ${this.isNew ? html`<p class="quietly">${words.lead}</p>` : nothing}
        </div>
        <div class="sides">
          <div class="inputs">${this.naming()}${this.demands()}${this.isNew ? placeInputs(this.form, this.text, (what) => this.set(what)) : nothing}${this.exclusion()}</div>
          ${formPreview({ form: this.form, fields: draft?.fields ?? [], events: sample, tenant, reading })}
        </div>
        ${this.problem ? problemNote(this.problem, this.settings.text, null, this.settings.text.settings.lost) : nothing}
        <p class="bad" role="alert">${this.told[""] ?? nothing}</p>
        <div class="feet">
          <button type="button" @click=${() => this.box.close()}>${this.maySend ? this.text.cancel : this.text.close}</button>
          ${this.maySend
            ? html`<button type="submit" class="primary" aria-disabled=${this.sending}>
                ${this.sending ? `${words.sending}…` : this.isNew ? words.submit : words.submitChange}
              </button>`
            : nothing}
        </div>
      </form>
    </dialog>`;
  }

  private naming(): TemplateResult {
    const words = this.text.form;
    return html`
      ${line({ ...this.input("displayName", words.displayName, words.displayNameHint), fixed: !this.mayName }, { maxlength: 200 })}
      ${line({ ...this.input("name", words.name, words.nameHint), fixed: !this.isNew }, { maxlength: 100, code: true })}
      ${this.theirs ? html`<p class="quietly">${words.theirs}</p>` : nothing}
      ${this.readable ? this.typing() : html`<p class="quietly">${words.noRules}</p>`}
    `;
  }

  private typing(): TemplateResult {
    const { types, typeHints, form: words } = this.text;
    const known = this.isNew ? TYPES : compatibleTypes(this.was?.type ?? "AlphaNumeric");
    const options = known.map((one): [string, string] => [one, types[one]]);
    const values = this.input("oneOf", words.oneOf, words.oneOfHint);
    return html`
      ${choose({ ...this.input("type", words.type, typeHints[this.form.type]), fixed: this.fixed }, options)}
      ${this.form.type === "Enum" ? area({ ...values, fixed: this.fixed }) : nothing}
    `;
  }

  private demands(): TemplateResult | typeof nothing {
    if (!this.readable) return nothing;
    const words = this.text.form;
    return html`<details ?open=${this.opened} @toggle=${(event: Event) => (this.opened = (event.target as HTMLDetailsElement).open)}>
      <summary>${words.rules}<span class="quietly">${words.optional}</span></summary>
      <div>
        <p class="quietly small">${words.rulesHint}</p>
        ${ruleInputs(this.form, this.text, (key, label, hint) => ({ ...this.input(key, label, hint), fixed: this.fixed }))}
      </div>
    </details>`;
  }

  /** A tenant's alone: the base event is everybody's. */
  private exclusion(): TemplateResult | typeof nothing {
    if (this.settings.tenant === null || this.theirs || !this.readable) return nothing;
    const words = this.text.form;
    return html`<details>
      <summary>${words.advanced}</summary>
      <div>${check({ ...this.input("exclusive", words.exclusive, words.exclusiveHint), fixed: this.fixed })}</div>
    </details>`;
  }

  private input(key: Key, label: string, hint = ""): Box {
    const fault = this.visited.has(key) ? this.faults()[key] : undefined;
    return {
      key,
      label,
      hint,
      value: this.form[key],
      fault: this.told[key] ?? (fault ? this.text.form.faults[fault] : ""),
      set: (value) => this.typed(key, value),
      left: () => (this.visited = new Set([...this.visited, key])),
    };
  }

  private faults(): Partial<Record<Key, FormError>> {
    const { seen } = this.settings;
    return seen ? validateForm(this.form, seen.structure, this.isNew) : {};
  }

  private typed(key: Key, value: string | boolean): void {
    const { [key]: _, "": __, ...others } = this.told;
    this.told = others;
    if (key === "name") this.named = value !== "";
    if (key === "name" || key === "pattern") this.visited = new Set([...this.visited, key]); // told while it is typed
    this.set({ [key]: value } as Partial<Form>);
    if (key === "displayName" && this.isNew && !this.named) {
      this.set({ name: nameFromLabel(String(value)) });
      this.visited = new Set([...this.visited, "name"]);
    }
    if (key === "type") this.set({ type: value as FieldType, default: "" });
  }

  private set(what: Partial<Form>): void {
    this.form = { ...this.form, ...what };
  }

  private readonly submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (this.sending) return;
    const faults = Object.keys(this.faults());
    if (faults.length) {
      this.visited = new Set(["displayName", "name", ...Object.keys(this.form)] as Key[]);
      this.told = { "": this.text.form.fixFirst };
      await this.focusFault();
      return;
    }
    const said: FieldInput = requestFromForm(this.form, this.was, this.exclusive);
    if (!this.isNew && !Object.keys(said).length) return this.box.close();
    await this.send(said);
  };

  private async send(said: FieldInput): Promise<void> {
    [this.sending, this.problem, this.told] = [true, null, {}];
    try {
      if (this.isNew) await this.settings.add(said);
      else await this.settings.change(this.field, said);
      this.box.close();
    } catch (cause) {
      const problem = Problem.from(cause);
      if (problem.status === 412) this.told = { "": this.text.form.stale };
      else if (problem.status === 400 || problem.status === 409) this.told = errorMessages(problem);
      else this.problem = problem;
      await this.focusFault();
    } finally {
      this.sending = false;
    }
  }

  private async focusFault(): Promise<void> {
    this.opened = true; // what is wrong may be in there
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
  }

  private readonly cancel = (event: Event): void => {
    if (this.sending) event.preventDefault();
  };

  private readonly close = (): void => {
    this.dispatchEvent(new Event("closed"));
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-form": FieldForm;
  }
}
