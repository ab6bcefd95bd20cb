/** `<auditlane-settings-fields>`: the list of fields: what each is called, where it is shown, and its place. */
import { html, nothing, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import type { Field } from "../api/structure.js";
import { late } from "../elements/lazy-import.js";
import { fieldLabel } from "../model/labels.js";
import { changesOf, type Draft, isOverridden, moveField, resetField, setField, type Toggle, TOGGLES } from "../model/structure/draft.js";
import { base } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import "./confirm.js";
import type { Confirm } from "./confirm.js";
import { Drag } from "./row-drag.js";
import { fieldStyles } from "./fields.styles.js";
import { NameInput } from "./name-input.js";
import { SettingsElement } from "./settings-element.js";
import { originSaid, selectorOf, toggleSaid, typeSaid } from "./field-row.js";
import { section } from "./section.styles.js";

@customElement("auditlane-settings-fields")
export class Fields extends SettingsElement {
  static override styles = [base, section, fieldStyles];

  /** The form, and whose: "" is a new field's, null that it is closed. */
  @state() private form: string | null = null;
  @query("auditlane-settings-confirm") private confirm!: Confirm;

  /** The field that was added last, until something else is done with the form; it is marked in the list. */
  @state() private added = "";
  private known: ReadonlySet<string> = new Set(); // names of the fields when the form was opened
  private readonly naming = new NameInput(() => this.settings);
  private untouched: Draft | null = null; // before a row was dragged
  private readonly drag = new Drag({
    rows: () => [...this.renderRoot.querySelectorAll<HTMLElement>("li")],
    to: (row, place) => {
      this.settings.edit((draft) => moveField(draft, row.dataset["name"] as string, place));
      this.performUpdate(); // the next move of the pointer measures the new list
    },
    end: (row, kept) => this.dropped(row.dataset["name"] as string, kept),
  });

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.drag.stop(false);
  }

  protected override render(): TemplateResult | typeof nothing {
    const { draft, mayChange, mayDecide } = this.settings;
    if (!draft) return nothing;
    const words = this.text.fields;
    const changed = new Set(changesOf(draft).map((one) => one.name));
    return html`<section class="card" part="fields" aria-labelledby="title">
        <div class="top">
          <div>
            <h3 id="title">${words.title}</h3>
            <p class="quietly">${words.lead}</p>
            ${mayChange && !mayDecide ? html`<p class="quietly small">${words.decided}</p>` : nothing}
          </div>
          ${mayDecide
            ? html`<button id="add" class="primary" @click=${() => this.open("")}>${icon("plus")}${words.add}</button>`
            : nothing}
        </div>
        ${mayChange ? html`<p class="keys quietly small">${words.keys}</p>` : nothing}
        <div class="heads ${mayChange || mayDecide ? "" : "still"}" aria-hidden="true">
          <span class="field">${words.field}</span>
          ${TOGGLES.map((one) => html`<span title=${words.hints[one]}>${words.toggles[one]}</span>`)}
        </div>
        <ol aria-label=${words.label}>
          ${repeat(
            draft.fields,
            (field) => field.name,
            (field, place) => this.row(field, place, draft.fields.length, changed.has(field.name)),
          )}
        </ol>
      </section>
      <auditlane-settings-confirm></auditlane-settings-confirm>
      ${this.form === null
        ? nothing
        : html`<auditlane-settings-form .field=${this.form} @closed=${this.closed}></auditlane-settings-form>`}`;
  }

  private row(field: Field, place: number, count: number, changed: boolean): TemplateResult {
    const { mayChange, mayDecide } = this.settings;
    const label = fieldLabel(field, this.settings.text) || field.name;
    return html`<li data-name=${field.name} class="${changed ? "changed" : ""} ${mayChange || mayDecide ? "" : "still"} ${field.name === this.added ? "added" : ""}" @keydown=${this.key}>
      <div class="group" role="group" aria-label=${label}>
        ${mayChange ? this.places(field, label, place, count) : mayDecide ? html`<div class="places"></div>` : nothing}
        <div class="name">
          ${mayChange
            ? this.naming.input(field, label)
            : html`<span class="label">${label}</span>`}
          ${field.displayName.trim() ? nothing : html`<span class="bad small">${this.text.fields.nameNeeded}</span>`}
          <span class="sub quietly small">
            <code>${field.name}</code><span>${typeSaid(field, this.settings)}</span><span>${originSaid(field, this.settings)}</span>
            ${field.name === this.added ? html`<span class="mark">${this.text.form.added(label)}</span>` : nothing}
            ${changed ? html`<span class="mark">${this.text.fields.changed}</span>` : nothing}
          </span>
        </div>
        ${TOGGLES.map((toggle) => this.toggle(field, label, toggle))}
        ${mayChange || mayDecide ? this.deeds(field, label) : nothing}
      </div>
    </li>`;
  }

  private places(field: Field, label: string, place: number, count: number): TemplateResult {
    const words = this.text.fields;
    return html`<div class="places">
      <span class="grip" title=${words.drag} @pointerdown=${this.grab}>${icon("grip")}</span>
      <button
        class="quiet icon up"
        aria-label=${words.up(label)}
        aria-disabled=${place === 0}
        @click=${() => this.move(field.name, place - 1, ".up")}
      >
        ${icon("up")}
      </button>
      <button
        class="quiet icon down"
        aria-label=${words.down(label)}
        aria-disabled=${place === count - 1}
        @click=${() => this.move(field.name, place + 1, ".down")}
      >
        ${icon("down")}
      </button>
    </div>`;
  }

  private toggle(field: Field, label: string, toggle: Toggle): TemplateResult {
    const words = this.text.fields;
    if (!this.settings.mayChange) return toggleSaid(field, toggle, this.settings);
    return html`<label class="toggle" title=${words.hints[toggle]}>
      <input
        type="checkbox"
        data-toggle=${toggle}
        aria-label="${words.toggles[toggle]}: ${label}"
        .checked=${field[toggle]}
        @change=${(event: Event) => this.set(field, { [toggle]: (event.target as HTMLInputElement).checked })}
      /><span>${words.toggles[toggle]}</span>
    </label>`;
  }

  private deeds(field: Field, label: string): TemplateResult {
    const words = this.text.fields;
    const { mayChange, mayDecide, tenant } = this.settings;
    const isAll = tenant === null;
    const resets = isAll ? words.resetAll(label) : words.reset(label);
    const edits = !isAll && field.inherited ? words.rules(label) : words.edit(label);
    return html`<div class="deeds">
      ${mayChange && isOverridden(field)
        ? html`<button class="quiet icon reset" aria-label=${resets} title=${resets} @click=${() => this.reset(field, label)}>
            ${icon("undo")}
          </button>`
        : nothing}
      ${mayDecide && field.custom
        ? html`<button class="quiet icon edit" aria-label=${edits} title=${edits} @click=${() => this.open(field.name)}>
              ${icon("pencil")}
            </button>
            <button
              class="quiet icon remove"
              aria-label=${words.remove(label)}
              title=${words.remove(label)}
              @click=${() => this.takeAway(field, label)}
            >
              ${icon("trash")}
            </button>`
        : nothing}
    </div>`;
  }

  private set(field: Field, what: Partial<Field>): void {
    this.settings.edit((draft) => setField(draft, field.name, what));
  }

  private reset(field: Field, label: string): void {
    this.settings.edit((draft) => resetField(draft, field.name), this.text.fields.wasReset(label));
    void this.focusIn(field.name, "input");
  }

  private move(name: string, to: number, focused: string): void {
    const count = this.settings.draft?.fields.length ?? 0;
    if (to < 0 || to >= count) return;
    this.settings.edit((draft) => moveField(draft, name, to), this.placeSaid(name, to));
    void this.focusIn(name, focused); // rows that move lose the focus
  }

  private placeSaid(name: string, place: number): string {
    const fields = this.settings.draft?.fields ?? [];
    const field = fields.find((one) => one.name === name);
    const label = field ? fieldLabel(field, this.settings.text) : name;
    return this.text.fields.movedTo(label, String(place + 1), String(fields.length));
  }

  private readonly key = (event: KeyboardEvent): void => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by || !event.altKey || !this.settings.mayChange) return;
    event.preventDefault();
    const name = (event.currentTarget as HTMLElement).dataset["name"] as string;
    const place = this.settings.draft?.fields.findIndex((one) => one.name === name) ?? -1;
    this.move(name, place + by, selectorOf(event.target as HTMLElement));
  };

  private readonly grab = (event: PointerEvent): void => {
    this.untouched = this.settings.draft;
    this.drag.start(event, (event.currentTarget as HTMLElement).closest("li") as HTMLElement);
  };

  private dropped(name: string, kept: boolean): void {
    const place = this.settings.draft?.fields.findIndex((one) => one.name === name) ?? 0;
    const { untouched } = this;
    this.untouched = null;
    if (kept) this.settings.edit((draft) => draft, this.placeSaid(name, place));
    else if (untouched) this.settings.edit(() => untouched);
  }

  private async takeAway(field: Field, label: string): Promise<void> {
    const words = this.text.removed;
    const lines = [words.sureLead, words.sureKept];
    if (this.settings.tenant === null) lines.push(words.sureAll);
    if (!(await this.confirm.ask({ title: words.sure(label), lines, go: words.doIt }))) return;
    if (await this.settings.remove(field.name)) this.renderRoot.querySelector<HTMLElement>("#add")?.focus();
  }

  private async open(name: string): Promise<void> {
    if (!this.settings.mayDecide || !(await late.load(() => import("./form.js")))) return;
    [this.form, this.added, this.known] = [name, "", new Set(this.names)];
  }

  private readonly closed = async (): Promise<void> => {
    const name = this.form;
    this.form = null;
    if (name === "") this.added = this.names.find((one) => !this.known.has(one)) ?? "";
    await this.updateComplete;
    if (name || this.added) await this.focusIn(name || this.added, ".edit"); // which scrolls to it
    else this.renderRoot.querySelector<HTMLElement>("#add")?.focus();
  };

  private get names(): string[] {
    return (this.settings.draft?.fields ?? []).map((field) => field.name);
  }

  private async focusIn(name: string, selector: string): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(`li[data-name="${CSS.escape(name)}"] ${selector}`)?.focus();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-fields": Fields;
  }
}
