/** Renders the options for the form of a CSV file. */
import { html, type TemplateResult } from "lit";

import type { Texts } from "../../i18n/en/index.js";
import { type CsvForm, SEPARATORS } from "../../model/export.js";

export function renderCsvForm(words: Texts["download"]["csv"], form: CsvForm, onChange: (form: CsvForm) => void): TemplateResult {
  const dialect = (value: CsvForm["dialect"]): TemplateResult => html`<label class="radio">
    <input
      type="radio"
      name="dialect"
      value=${value}
      .checked=${value === form.dialect}
      @change=${() => onChange({ ...form, dialect: value })}
    />${words.dialects[value]}
  </label>`;
  const onSeparator = (event: Event): void =>
    onChange({ ...form, separator: (event.target as HTMLSelectElement).value as CsvForm["separator"] });
  return html`<fieldset>
    <legend>${words.title}</legend>
    <div class="line">
      ${dialect("spreadsheet")}${dialect("raw")}
      <label class="radio">
        ${words.separator}
        <select @change=${onSeparator}>
          ${SEPARATORS.map((value) => html`<option value=${value} ?selected=${value === form.separator}>${words.separators[value]}</option>`)}
        </select>
      </label>
    </div>
    <p class="small">${words.notes[form.dialect]}</p>
  </fieldset>`;
}
