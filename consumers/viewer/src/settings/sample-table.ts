/** A small table as the viewer's will look: the columns in their order, with a few events where there are some. */
import { css, html, nothing, type TemplateResult } from "lit";

import type { AuditEvent, DisplayType } from "../api/types.js";
import { visible } from "../model/format/text.js";
import { clockOf } from "../model/format/time.js";
import { inOneLine, valueOf } from "../model/format/value.js";

export interface Column {
  name: string;
  displayName: string;
  displayType: DisplayType;
  custom: boolean;
  /** A field that is only being made. */
  fresh?: boolean;
  /** Shown in every row, for a column that no event has yet. */
  sample?: string;
}

export interface Sample {
  columns: readonly Column[];
  events: readonly AuditEvent[];
  language: string;
  label: string;
  /** Marks a fresh column. */
  newWord: string;
}

const EMPTY_ROWS = 3;

export function sampleTable({ columns, events, language, label, newWord }: Sample): TemplateResult {
  const rows: (AuditEvent | null)[] = events.length ? [...events] : Array.from({ length: EMPTY_ROWS }, () => null);
  return html`<div class="sample" tabindex="0" role="region" aria-label=${label}>
    <table>
      <thead>
        <tr>
          ${columns.map(
            (one) => html`<th scope="col" class=${one.fresh ? "fresh" : ""}>
              ${visible(one.displayName) || "…"}${one.fresh ? html`<span class="new">${newWord}</span>` : nothing}
            </th>`,
          )}
        </tr>
      </thead>
      <tbody>
        ${rows.map((event) => html`<tr>${columns.map((one) => cell(one, event, language))}</tr>`)}
      </tbody>
    </table>
  </div>`;
}

function cell(column: Column, event: AuditEvent | null, language: string): TemplateResult {
  const value = (event && valueOf(event, column)) ?? column.sample ?? null;
  return html`<td class=${column.fresh ? "fresh" : ""}>
    ${value === null ? html`<span class="bar" aria-hidden="true"></span>` : shown(column, value, language)}
  </td>`;
}

function shown(column: Column, value: string, language: string): string {
  if (column.displayType === "Timestamp") return clockOf(language, Intl.DateTimeFormat().resolvedOptions().timeZone).exact(value);
  return visible(column.displayType === "Json" ? inOneLine(value) : value);
}

export const sampleStyles = css`
  .sample {
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
