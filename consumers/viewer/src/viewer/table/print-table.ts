/** Renders the loaded events as a plain table, which browsers can break into pages. */
import { html, type TemplateResult } from "lit";

import type { AuditEvent } from "../../api/types.js";
import type { Column } from "../../model/columns.js";
import { formatRange } from "../../model/format/summary.js";
import { visible } from "../../model/format/text.js";
import type { Pages } from "../../model/pages.js";
import { formatNumber } from "../describe.js";
import type { ViewerState } from "../viewer-state.js";
import { type CellContext, renderCell } from "./cells.js";

const MAX_ROWS = 1_000;

export function printTable(viewer: ViewerState, pages: Pages, columns: readonly Column[], context: CellContext): TemplateResult {
  const { print } = viewer.text.reading;
  const events = loadedEvents(pages);
  const { query, range } = viewer.view;
  const time = formatRange(range, viewer.text, viewer.language, viewer.zone);
  const complete = pages.ended && pages.forgottenRows === 0 && events.length === pages.count;
  const about = [
    (complete ? print.all : print.first)(events.length, formatNumber(viewer, events.length)),
    query.trim() ? `${viewer.text.states.searchedFor}: ${visible(query.trim())}` : "",
    time ? `${viewer.text.states.inTime}: ${time}` : "",
    viewer.text.reading.details.time(viewer.zone),
  ];
  return html`<table>
    <caption>${about.filter(Boolean).join(" · ")}</caption>
    <thead>
      <tr>${columns.map(({ field }) => html`<th scope="col">${field.displayName}</th>`)}</tr>
    </thead>
    <tbody>
      ${events.map((event) => html`<tr>${columns.map(({ field }) => html`<td>${renderCell(event, field, context)}</td>`)}</tr>`)}
    </tbody>
  </table>`;
}

function loadedEvents(pages: Pages): AuditEvent[] {
  const events: AuditEvent[] = [];
  for (let index = 0; index < pages.count && events.length < MAX_ROWS; index++) {
    const event = pages.at(index);
    if (event) events.push(event);
  }
  return events;
}
