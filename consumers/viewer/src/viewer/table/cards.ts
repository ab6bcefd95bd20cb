/** Renders rows as cards if the table is too narrow for columns, with the sentence, its outcome and its time. */
import { html, nothing, type TemplateResult } from "lit";

import type { AuditEvent } from "../../api/types.js";
import { visible } from "../../model/format/text.js";
import type { ViewerState } from "../viewer-state.js";
import { conflictIcon, outcomeBadge, severityBadge } from "./badges.js";
import { type CellContext, renderCell } from "./cells.js";

const LINE_EM = 1.45; // line height, as in the base styles
const LINES = { comfortable: 3, compact: 2 } as const; // number of lines for the sentence, its outcome and its time
const PADDING_PX = 20;
const TIME = { name: "occurred_at", displayType: "Timestamp", custom: false } as const;
const QUIET = new Set(["Info", "Low"]); // severities that a card does not show

/** Returns the height of a card in px for a font size in px. */
export function cardHeight(density: keyof typeof LINES, fontSize: number): number {
  return Math.ceil(LINES[density] * LINE_EM * fontSize) + PADDING_PX;
}

/** Renders the cells of a card, in the columns of `cardHead`. */
export function renderCard(event: AuditEvent | undefined, context: CellContext): TemplateResult {
  const { text } = context;
  return html`<div class="cell what" role="gridcell">
      ${event?.conflict ? conflictIcon(text) : nothing}${event ? sentence(event, context) : nothing}
    </div>
    <div class="cell" role="gridcell">
      ${event ? outcomeBadge(event.outcome, text) : nothing} ${event && !QUIET.has(event.severity) ? severityBadge(event.severity, text) : nothing}
    </div>
    <div class="cell when" role="gridcell">${event ? renderCell(event, TIME, context) : nothing}</div>`;
}

/** Renders the header above the cards, with a button that reverses the sort order. */
export function cardHead(viewer: ViewerState): TemplateResult {
  const { reading, states } = viewer.text;
  const { fields } = states;
  const time = viewer.fields.find((field) => field.parameter === "occurred_at");
  const name = time?.displayName ?? fields["occurred_at"] ?? "";
  const sorted = viewer.view.sort.endsWith("occurred_at");
  const descending = viewer.view.sort.startsWith("-");
  const reverse = (): void => viewer.setView({ sort: sorted && descending ? "occurred_at" : "-occurred_at", live: false });
  return html`<div class="head" role="rowgroup" part="head">
    <div class="names" role="row" aria-rowindex="1">
      <div class="column what" role="columnheader" aria-colindex="1">${reading.card}</div>
      <div class="column" role="columnheader" aria-colindex="2"><span class="unseen">${fields["outcome"]}</span></div>
      <div class="column when" role="columnheader" aria-colindex="3" aria-sort=${sorted ? (descending ? "descending" : "ascending") : "none"}>
        ${time?.sortable
          ? html`<button class="quiet sort" title=${sorted && descending ? reading.column.oldest : reading.column.newest} @click=${reverse}>
              <bdi class="name">${name}</bdi>${sorted ? html`<span aria-hidden="true">${descending ? "↓" : "↑"}</span>` : nothing}
            </button>`
          : html`<bdi class="name">${name}</bdi>`}
      </div>
    </div>
  </div>`;
}

function sentence(event: AuditEvent, { actions }: CellContext): TemplateResult[] {
  return actions.sentenceOf(event).map(({ text, placeholder }) => (placeholder === null ? html`${text}` : html`<bdi>${visible(text)}</bdi>`));
}
