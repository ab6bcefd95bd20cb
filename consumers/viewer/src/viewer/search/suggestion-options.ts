/** Renders suggestions as grouped options of a list box. */
import { html, type TemplateResult } from "lit";

import { formatNumber } from "../describe.js";
import type { ViewerState } from "../viewer-state.js";
import type { Suggestion } from "./suggestions.js";

export interface OptionActions {
  /** Called when the pointer is pressed on a suggestion, before the click. */
  press(row: Suggestion): void;
  accept(row: Suggestion): void;
}

/** Renders the options, with the ids `row0`, `row1` and so on. */
export function renderOptions(rows: readonly Suggestion[], active: number, viewer: ViewerState, on: OptionActions): TemplateResult[] {
  const groups = Map.groupBy(rows.map((row, index) => ({ row, index })), ({ row }) => row.group);
  return [...groups].map(
    ([name, members], group) => html`<div role="group" aria-labelledby=${`group${group}`}>
      <div class="group" id=${`group${group}`} role="presentation">${name}</div>
      ${members.map(({ row, index }) => option(row, index, index === active, viewer, on))}
    </div>`,
  );
}

function option(row: Suggestion, index: number, active: boolean, viewer: ViewerState, on: OptionActions): TemplateResult {
  const counted = row.events === null ? "" : formatNumber(viewer, row.events);
  return html`<div role="option" id=${`row${index}`} aria-selected=${active} @pointerdown=${() => on.press(row)} @click=${() => on.accept(row)}>
    <span class="label">${row.label}</span>
    <span class="note">${row.note}</span>
    <span class="count" aria-hidden="true">${counted}</span>
    <span class="unseen">${row.events === null ? "" : viewer.text.search.box.events(row.events, counted)}</span>
  </div>`;
}
