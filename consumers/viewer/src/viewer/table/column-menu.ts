import { html, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import type { ShownField } from "../../api/types.js";
import { customElement } from "../../elements/define.js";
import "../../elements/dropdown.js";
import { moveColumn, movesOf, toggleColumn } from "../../model/columns.js";
import { DEFAULT_PREFERENCES } from "../../model/preferences.js";
import { baseStyles } from "../../styles/base.js";
import { icon, type IconName } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import { columnMenuStyles } from "./column-menu.styles.js";

/**
 * @summary Lets the user choose the columns, their order, the density and how times are shown.
 *
 * @csspart button - The button.
 * @csspart columns - The dropdown.
 */
@customElement("auditlane-columns")
export class ColumnMenu extends ViewerElement {
  static override styles = [baseStyles, columnMenuStyles];

  protected override render(): TemplateResult {
    const { columns } = this.text.reading;
    const { density } = this.viewer;
    const { relativeTimes } = this.viewer.preferences;
    const fields = this.ordered;
    return html`<auditlane-dropdown .label=${columns.label} title=${columns.button} part="columns" exportparts="button" @opened=${this.onOpened}>
      <span slot="button" class="button">${icon("columns")}<span class="label">${columns.button}</span></span>
      <div class="panel">
        <fieldset>
          <legend>${columns.shown}</legend>
          <ul>${repeat(fields, (field) => field.name, (field) => this.renderField(field))}</ul>
        </fieldset>
        ${this.renderChoice("density", columns.density, density, [["comfortable", columns.comfortable], ["compact", columns.compact]], (value) =>
          this.viewer.setPreferences({ density: value }),
        )}
        ${this.renderChoice("times", columns.times, relativeTimes ? "relative" : "exact", [["relative", columns.relative], ["exact", columns.exact]], (value) =>
          this.viewer.setPreferences({ relativeTimes: value === "relative" }),
        )}
        <auditlane-zone></auditlane-zone>
        <div class="end">
          <span class="quietly">${columns.yours}</span>
          <button @click=${this.reset}>${columns.reset}</button>
        </div>
      </div>
    </auditlane-dropdown>`;
  }

  /** The shown fields in order, followed by the others. */
  private get ordered(): ShownField[] {
    const names = this.viewer.columnNames;
    const rank = (field: ShownField): number => (names.includes(field.name) ? names.indexOf(field.name) : names.length);
    return [...this.viewer.columnFields].sort((left, right) => rank(left) - rank(right));
  }

  private renderField(field: ShownField): TemplateResult {
    const { columns } = this.text.reading;
    const names = this.viewer.columnNames;
    const at = names.indexOf(field.name);
    const { earlier, later } = movesOf(names, this.viewer.preferences.pinned, field.name);
    const alone = at >= 0 && names.length === 1;
    const move = (by: number, name: string, off: boolean, sign: IconName): TemplateResult =>
      html`<button class="quiet icon" aria-label=${name} title=${name} ?disabled=${off} @click=${(event: Event) => this.move(field.name, by, event)}>
        ${icon(sign)}
      </button>`;
    return html`<li>
      <label>
        <input type="checkbox" .checked=${at >= 0} ?disabled=${alone} @change=${() => this.toggle(field.name)} />
        <bdi>${field.displayName}</bdi>
      </label>
      ${at < 0
        ? ""
        : html`${move(-1, columns.up(field.displayName), earlier === 0, "fold")}
          ${move(1, columns.down(field.displayName), later === 0, "unfold")}`}
    </li>`;
  }

  private renderChoice<T extends string>(
    name: string,
    legend: string,
    now: T,
    values: readonly (readonly [T, string])[],
    onChoice: (value: T) => void,
  ): TemplateResult {
    return html`<fieldset>
      <legend>${legend}</legend>
      <div class="choice">
        ${values.map(
          ([value, label]) => html`<label><input type="radio" name=${name} .checked=${now === value} @change=${() => onChoice(value)} />${label}</label>`,
        )}
      </div>
    </fieldset>`;
  }

  private readonly onOpened = (): void => void this.viewer.lazyImports.load(() => import("../search/zone-choice.js"));

  /** Resets everything except the time zone. */
  private readonly reset = (): void => {
    const { columns, density, relativeTimes, pinned, widths } = DEFAULT_PREFERENCES;
    this.viewer.setPreferences({ columns, density, relativeTimes, pinned, widths });
  };

  private toggle(name: string): void {
    this.viewer.setPreferences({ columns: toggleColumn(this.viewer.columnFields, this.viewer.columnNames, name) });
  }

  /** Moves a column. The pressed button keeps the focus. At an end of the list, the opposite button gets it. */
  private move(name: string, by: number, event: Event): void {
    const button = event.currentTarget as HTMLButtonElement;
    this.viewer.setPreferences({ columns: moveColumn(this.viewer.columnNames, name, by) });
    void this.updateComplete.then(() => {
      const other = (by < 0 ? button.nextElementSibling : button.previousElementSibling) as HTMLButtonElement | null;
      (button.disabled ? other : button)?.focus();
    });
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-columns": ColumnMenu;
  }
}
