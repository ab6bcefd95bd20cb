/** A small table as the viewer's: its cells, the columns in their order, with a few events where there are some. */
import { css, html, nothing, type TemplateResult } from "lit";

import type { AuditEvent } from "../api/types.js";
import { visible } from "../model/format/text.js";
import { valueOf } from "../model/format/value.js";
import { renderCell, type CellContext, type CellField } from "../viewer/table/cells.js";
import { cellStyles } from "../viewer/table/cells.styles.js";
import { badgeStyles } from "../viewer/table/badges.js";

export interface SampleColumn extends CellField {
  /** Its heading. */
  label: string;
  /** A field that is only being made. */
  isNew?: boolean;
  /** Shown in every row, for a column that no event has yet. */
  sample?: string;
}

export interface SampleTable {
  columns: readonly SampleColumn[];
  events: readonly AuditEvent[];
  cellContext: CellContext;
  label: string;
  /** Marks a fresh column. */
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
  const lacks = sample !== undefined && (!event || valueOf(event, column) === null);
  const shown = lacks ? ({ ...event, fields: { [column.name]: sample } } as unknown as AuditEvent) : event;
  return html`<td class=${column.isNew ? "fresh" : ""}>
    ${shown ? renderCell(shown, column, cellContext) : html`<span class="bar" aria-hidden="true"></span>`}
  </td>`;
}

const sampleTableStyles = css`
  .sample {
    position: relative; /* what is only for screen readers stays inside */
    overflow-x: auto;
    border: 1px solid var(--line);
    border-radius: var(--radius);
  }
  .sample table {
    width: 100%;
    border-collapse: collapse;
    font-size: 0.93em;
  }
  .sample th,
  .sample td {
    max-width: 15rem;
    padding: 0.4rem 0.7rem;
    overflow: hidden;
    text-align: start;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .sample th {
    background: var(--ground-2);
    font-weight: 600;
  }
  .sample td {
    border-block-start: 1px solid var(--line);
  }
  .sample .fresh {
    background: var(--accent-ground);
  }
  .sample .new {
    margin-inline-start: 0.4rem;
    padding: 0.05rem 0.4rem;
    border: 1px solid var(--accent);
    border-radius: 999px;
    color: var(--accent);
    font-size: 0.83em;
  }
  .sample .bar {
    display: block;
    width: 60%;
    min-width: 2.5rem;
    height: 0.55rem;
    margin-block: 0.4em;
    border-radius: 999px;
    background: var(--ground-3);
  }
`;

export const sampleStyles = [badgeStyles, cellStyles, sampleTableStyles];
