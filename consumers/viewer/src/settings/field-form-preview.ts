/** Previews the result of the form: the table with the new column, and the code that sends a value. */
import { html, type TemplateResult } from "lit";

import type { Field } from "../api/structure.js";
import type { AuditEvent, DisplayType } from "../api/types.js";
import type { SettingsTexts } from "../i18n/settings.js";
import { fieldLabel } from "../model/labels.js";
import type { Form } from "../model/structure/form.js";
import { emitCode, sampleValue } from "../model/structure/sample.js";
import type { CellContext } from "../viewer/table/cells.js";
import { type SampleColumn, sampleTable } from "./sample-table.js";

interface PreviewInput {
  form: Form;
  fields: readonly Field[];
  events: readonly AuditEvent[];
  tenant: string | null;
  cellContext: CellContext;
  words: SettingsTexts["settings"];
}

const NEIGHBOUR_COLUMNS = 2; // number of columns next to the new one

export function formPreview({ form, fields, events, tenant, cellContext, words }: PreviewInput): TemplateResult {
  const { text } = cellContext;
  const column: SampleColumn = {
    name: form.name,
    label: form.displayName.trim() || form.name,
    displayType: form.type === "Integer" ? "Number" : form.type === "Enum" ? "AlphaNumeric" : (form.type as DisplayType),
    custom: true,
    isNew: true,
    sample: String(sampleValue(form)),
  };
  const others: SampleColumn[] = fields
    .filter((field) => field.showInTable && field.name !== form.name)
    .map((field) => ({ ...field, label: fieldLabel(field, text) }));
  const columns: SampleColumn[] = form.showInTable ? [...others.slice(0, NEIGHBOUR_COLUMNS), column] : others.slice(0, NEIGHBOUR_COLUMNS + 1);
  return html`<div class="preview">
    <h4>${words.form.preview}</h4>
    ${sampleTable({ columns, events, cellContext, label: words.form.table, newWord: words.preview.newColumn })}
    <h4>${words.form.code}</h4>
    <pre tabindex="0" role="region" aria-label=${words.form.code}><code>${emitCode(form, tenant)}</code></pre>
  </div>`;
}
