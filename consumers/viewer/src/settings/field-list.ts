import { html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";
import { classMap } from "lit/directives/class-map.js";
import { repeat } from "lit/directives/repeat.js";

import type { Field } from "../api/structure.js";
import { customElement } from "../elements/define.js";
import { fieldLabel } from "../model/labels.js";
import {
  changesOf,
  type Draft,
  isOverridden,
  moveField,
  resetField,
  setField,
  type Toggle,
  TOGGLES,
} from "../model/structure/draft.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import "./confirm-dialog.js";
import type { ConfirmDialog } from "./confirm-dialog.js";
import { fieldListStyles } from "./field-list.styles.js";
import { describeOrigin, describeType, readOnlyToggle, selectorOf } from "./field-row.js";
import { NameInput } from "./name-input.js";
import { RowDrag } from "./row-drag.js";
import { sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

/**
 * @summary The list of fields: their names, where each is shown, and their order.
 *
 * @csspart fields - The card.
 */
@customElement("auditlane-settings-fields")
export class FieldList extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, fieldListStyles];

  /** The field whose form is open. "" for a new one, null while the form is closed. */
  @state() private editedField: string | null = null;
  @query("auditlane-settings-confirm") private confirm!: ConfirmDialog;

  /** The field that was added last. It is marked in the list until the form is used again. */
  @state() private addedField = "";
  private namesBefore: ReadonlySet<string> = new Set(); // names of the fields when the form was opened
  private readonly nameInput = new NameInput(() => this.settings);
  private draftBeforeDrag: Draft | null = null; // the draft before a row was dragged
  private readonly drag = new RowDrag({
    rows: () => [...this.renderRoot.querySelectorAll<HTMLElement>("li")],
    moveTo: (row, index) => {
      this.settings.edit((draft) => moveField(draft, row.dataset["name"] as string, index));
      this.performUpdate(); // rendered now, because the next pointer move measures the rows
    },
    onEnd: (row, kept) => this.onDragEnd(row.dataset["name"] as string, kept),
  });

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.drag.stop(false);
  }

  protected override render(): TemplateResult | typeof nothing {
    const { draft, canConfigure, canEditContract } = this.settings;
    if (!draft) return nothing;
    const words = this.text.fields;
    const changed = new Set(changesOf(draft).map((change) => change.name));
    return html`<section class="card" part="fields" aria-labelledby="title">
        <div class="top">
          <div>
            <h3 id="title">${words.title}</h3>
            <p class="quietly">${words.lead}</p>
            ${canConfigure && !canEditContract ? html`<p class="quietly small">${words.contractNote}</p>` : nothing}
          </div>
          ${canEditContract
            ? html`<button id="add" class="primary" @click=${() => this.openForm("")}>${icon("plus")}${words.add}</button>`
            : nothing}
        </div>
        ${canConfigure ? html`<p class="keys quietly small">${words.keys}</p>` : nothing}
        <div class="heads ${canConfigure || canEditContract ? "" : "still"}" aria-hidden="true">
          <span class="field">${words.field}</span>
          ${TOGGLES.map((one) => html`<span title=${words.hints[one]}>${words.toggles[one]}</span>`)}
        </div>
        <ol aria-label=${words.label}>
          ${repeat(
            draft.fields,
            (field) => field.name,
            (field, index) => this.renderRow(field, index, draft.fields.length, changed.has(field.name)),
          )}
        </ol>
      </section>
      <auditlane-settings-confirm></auditlane-settings-confirm>
      ${this.editedField === null
        ? nothing
        : html`<auditlane-settings-form .field=${this.editedField} @closed=${this.onFormClosed}></auditlane-settings-form>`}`;
  }

  private renderRow(field: Field, index: number, count: number, changed: boolean): TemplateResult {
    const { canConfigure, canEditContract } = this.settings;
    const label = fieldLabel(field, this.settings.text) || field.name;
    const classes = { changed, still: !canConfigure && !canEditContract, added: field.name === this.addedField };
    return html`<li data-name=${field.name} class=${classMap(classes)} @keydown=${this.onKeydown}>
      <div class="group" role="group" aria-label=${label}>
        ${canConfigure ? this.renderOrder(field, label, index, count) : canEditContract ? html`<div class="places"></div>` : nothing}
        <div class="name">
          ${canConfigure
            ? this.nameInput.render(field, label)
            : html`<span class="label">${label}</span>`}
          ${field.displayName.trim() ? nothing : html`<span class="bad small">${this.text.fields.nameNeeded}</span>`}
          <span class="sub quietly small">
            <code>${field.name}</code><span>${describeType(field, this.settings)}</span><span>${describeOrigin(field, this.settings)}</span>
            ${field.name === this.addedField ? html`<span class="mark">${this.text.form.added(label)}</span>` : nothing}
            ${changed ? html`<span class="mark">${this.text.fields.changed}</span>` : nothing}
          </span>
        </div>
        ${TOGGLES.map((toggle) => this.renderToggle(field, label, toggle))}
        ${canConfigure || canEditContract ? this.renderActions(field, label) : nothing}
      </div>
    </li>`;
  }

  private renderOrder(field: Field, label: string, index: number, count: number): TemplateResult {
    const words = this.text.fields;
    return html`<div class="places">
      <span class="grip" title=${words.drag} @pointerdown=${this.onGrab}>${icon("grip")}</span>
      <button
        class="quiet icon up"
        aria-label=${words.up(label)}
        aria-disabled=${index === 0}
        @click=${() => this.move(field.name, index - 1, ".up")}
      >
        ${icon("up")}
      </button>
      <button
        class="quiet icon down"
        aria-label=${words.down(label)}
        aria-disabled=${index === count - 1}
        @click=${() => this.move(field.name, index + 1, ".down")}
      >
        ${icon("down")}
      </button>
    </div>`;
  }

  private renderToggle(field: Field, label: string, toggle: Toggle): TemplateResult {
    const words = this.text.fields;
    if (!this.settings.canConfigure) return readOnlyToggle(field, toggle, this.settings);
    return html`<label class="toggle" title=${words.hints[toggle]}>
      <input
        type="checkbox"
        data-toggle=${toggle}
        aria-label="${words.toggles[toggle]}: ${label}"
        .checked=${field[toggle]}
        @change=${(event: Event) => this.setAttributes(field, { [toggle]: (event.target as HTMLInputElement).checked })}
      /><span>${words.toggles[toggle]}</span>
    </label>`;
  }

  private renderActions(field: Field, label: string): TemplateResult {
    const words = this.text.fields;
    const { canConfigure, canEditContract, tenant } = this.settings;
    const isAll = tenant === null;
    const resets = isAll ? words.resetAll(label) : words.reset(label);
    const edits = !isAll && field.inherited ? words.rules(label) : words.edit(label);
    return html`<div class="actions">
      ${canConfigure && isOverridden(field)
        ? html`<button class="quiet icon reset" aria-label=${resets} title=${resets} @click=${() => this.reset(field, label)}>
            ${icon("undo")}
          </button>`
        : nothing}
      ${canEditContract && field.custom
        ? html`<button class="quiet icon edit" aria-label=${edits} title=${edits} @click=${() => this.openForm(field.name)}>
              ${icon("pencil")}
            </button>
            <button
              class="quiet icon remove"
              aria-label=${words.remove(label)}
              title=${words.remove(label)}
              @click=${() => this.removeField(field, label)}
            >
              ${icon("trash")}
            </button>`
        : nothing}
    </div>`;
  }

  private setAttributes(field: Field, changes: Partial<Field>): void {
    this.settings.edit((draft) => setField(draft, field.name, changes));
  }

  private reset(field: Field, label: string): void {
    this.settings.edit((draft) => resetField(draft, field.name), this.text.fields.wasReset(label));
    void this.focusIn(field.name, "input");
  }

  private move(name: string, to: number, focused: string): void {
    const count = this.settings.draft?.fields.length ?? 0;
    if (to < 0 || to >= count) return;
    this.settings.edit((draft) => moveField(draft, name, to), this.describePosition(name, to));
    void this.focusIn(name, focused); // a row loses focus when it moves
  }

  private describePosition(name: string, index: number): string {
    const fields = this.settings.draft?.fields ?? [];
    const field = fields.find((field) => field.name === name);
    const label = field ? fieldLabel(field, this.settings.text) : name;
    return this.text.fields.movedTo(label, String(index + 1), String(fields.length));
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by || !event.altKey || !this.settings.canConfigure) return;
    event.preventDefault();
    const name = (event.currentTarget as HTMLElement).dataset["name"] as string;
    const index = this.settings.draft?.fields.findIndex((field) => field.name === name) ?? -1;
    this.move(name, index + by, selectorOf(event.target as HTMLElement));
  };

  private readonly onGrab = (event: PointerEvent): void => {
    this.draftBeforeDrag = this.settings.draft;
    this.drag.start(event, (event.currentTarget as HTMLElement).closest("li") as HTMLElement);
  };

  private onDragEnd(name: string, kept: boolean): void {
    const index = this.settings.draft?.fields.findIndex((field) => field.name === name) ?? 0;
    const { draftBeforeDrag } = this;
    this.draftBeforeDrag = null;
    if (kept) this.settings.edit((draft) => draft, this.describePosition(name, index));
    else if (draftBeforeDrag) this.settings.edit(() => draftBeforeDrag);
  }

  private async removeField(field: Field, label: string): Promise<void> {
    const words = this.text.removed;
    const lines = [words.confirmLead, words.confirmKept];
    if (this.settings.tenant === null) lines.push(words.confirmAll);
    if (!(await this.confirm.ask({ title: words.confirmTitle(label), lines, confirm: words.confirm }))) return;
    if (await this.settings.remove(field.name)) this.renderRoot.querySelector<HTMLElement>("#add")?.focus();
  }

  private async openForm(name: string): Promise<void> {
    if (!this.settings.canEditContract || !(await this.settings.lazyImports.load(() => import("./field-form.js")))) return;
    this.editedField = name;
    this.addedField = "";
    this.namesBefore = new Set(this.names);
  }

  private readonly onFormClosed = async (): Promise<void> => {
    const name = this.editedField;
    this.editedField = null;
    if (name === "") this.addedField = this.names.find((one) => !this.namesBefore.has(one)) ?? "";
    await this.updateComplete;
    if (name || this.addedField) await this.focusIn(name || this.addedField, ".edit"); // this also scrolls to it
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
    "auditlane-settings-fields": FieldList;
  }
}
