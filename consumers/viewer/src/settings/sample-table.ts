/** Renders a small table with the viewer's cells and a few events, or placeholders if there are no events. */
import { html, nothing, type TemplateResult } from "lit";

import type { AuditEvent } from "../api/types.js";
import { visible } from "../model/format/text.js";
import { valueOf } from "../model/format/value.js";
import { badgesStyles } from "../viewer/table/badges.styles.js";
import { type CellContext, type CellField, renderCell } from "../viewer/table/cells.js";
import { cellsStyles } from "../viewer/table/cells.styles.js";
import { sampleTableStyles } from "./sample-table.styles.js";

export interface SampleColumn extends CellField {
  /** The column's heading. */
  label: string;
  /** Whether the field is being created. */
  isNew?: boolean;
  /** Shown in every row for a field that no event has yet. */
  sample?: string;
}

export interface SampleTable {
  columns: readonly SampleColumn[];
  events: readonly AuditEvent[];
  cellContext: CellContext;
  label: string;
  /** The word that marks a new column. */
  newWord: string;
}

const PLACEHOLDER_ROWS = 3;

export function sampleTable({ columns, events, cellContext, label, newWord }: SampleTable): TemplateResult {
  const rows: (AuditEvent | null)[] = events.length ? [...events] : Array.from({ length: PLACEHOLDER_ROWS }, () => null);
  return html`<div class="sample" tabindex="0" role="region" aria-label=${label}>
    <table>
      <thead>
        <tr>
          ${columns.map(
            (column) => html`<th scope="col" class=${column.isNew ? "fresh" : ""}>
              ${visible(column.label) || "…"}${column.isNew ? html`<span class="new">${newWord}</span>` : nothing}
            </th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${rows.map((event) => html`<tr class="row">${columns.map((column) => sampleCell(column, event, cellContext))}</tr>`)}
      </tbody>
    </table>
  </div>`;
}

function sampleCell(column: SampleColumn, event: AuditEvent | null, cellContext: CellContext): TemplateResult {
  const { sample } = column;
  const isMissing = sample !== undefined && (!event || valueOf(event, column) === null);
  const shown = isMissing ? ({ ...event, fields: { [column.name]: sample } } as unknown as AuditEvent) : event;
  return html`<td class=${column.isNew ? "fresh" : ""}>
    ${shown ? renderCell(shown, column, cellContext) : html`<span class="bar" aria-hidden="true"></span>`}
  </td>`;
}

export const sampleStyles = [badgesStyles, cellsStyles, sampleTableStyles];
