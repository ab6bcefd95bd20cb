/** Renders what covers or replaces the rows: slow and failed requests, an empty list, and new events above the view. */
import { html, nothing, type TemplateResult } from "lit";

import { formatNumber } from "../describe.js";
import type { ViewerState } from "../viewer-state.js";
import type { List } from "./list.js";

export function tableOverlay(viewer: ViewerState, list: List, toTop: () => void): TemplateResult {
  const { reading } = viewer.text;
  const { loader, pages } = list;
  const { problem, cancelled, slow } = loader;
  const hasNoRows = loader.outdated || !pages.started;
  const coming = loader.stale && loader.busy;
  const newRowsText = list.newRows && !list.atTop ? reading.live.fresh(list.newRows, formatNumber(viewer, list.newRows)) : "";
  let shown: TemplateResult | typeof nothing = nothing;
  if (cancelled) {
    const stopped = overlayNote(reading.cancelled, reading.retry, () => loader.retry());
    shown = hasNoRows ? cover(stopped) : stopped;
  } else if (problem) {
    const notice = html`<auditlane-problem .problem=${problem} @retry=${() => viewer.retry()}></auditlane-problem>`;
    shown = hasNoRows ? cover(notice) : html`<div class="note"><div>${notice}</div></div>`;
  } else if (pages.searchedTo && !loader.stale) {
    void viewer.lazyImports.load(() => import("./search-progress.js"));
    const progress = html`<auditlane-search-progress .list=${list} .to=${pages.searchedTo} .searching=${pages.searching}></auditlane-search-progress>`;
    shown = pages.count ? html`<div class="note"><div>${progress}</div></div>` : cover(html`<div class="note"><div>${progress}</div></div>`);
  } else if (slow) shown = overlayNote(reading.slow, reading.cancel, () => loader.cancel());
  else if (!hasNoRows && pages.count === 0) shown = cover(html`<auditlane-empty></auditlane-empty>`);
  return html`<div class="note top">${newRowsText ? html`<button class="primary" @click=${toTop}>${newRowsText}</button>` : nothing}</div>
    ${shown}
    <span class="unseen" role="status">${cancelled ? reading.cancelled : slow ? reading.slow : coming ? reading.loading : newRowsText}</span>`;
}

function overlayNote(text: string, label: string, action: () => void): TemplateResult {
  return html`<div class="note"><div><p>${text}</p><button @click=${action}>${label}</button></div></div>`;
}

function cover(content: TemplateResult): TemplateResult {
  return html`<div class="whole">${content}</div>`;
}
