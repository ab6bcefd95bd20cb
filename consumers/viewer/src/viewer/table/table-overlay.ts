/** What is said over the rows, or in their place: that it takes long, that it failed, that there is nothing, what is new. */
import { html, nothing, type TemplateResult } from "lit";

import type { ViewerState } from "../viewer-state.js";
import { numberOf } from "../describe.js";
import type { List } from "./list.js";

export function notes(viewer: ViewerState, list: List, toTop: () => void): TemplateResult {
  const { reading } = viewer.text;
  const { loader, pages } = list;
  const { problem, cancelled, slow } = loader;
  const none = loader.other || !pages.started;
  const coming = loader.stale && loader.busy;
  const fresh = list.fresh && !list.atTop ? reading.live.fresh(list.fresh, numberOf(viewer, list.fresh)) : "";
  let shown: TemplateResult | typeof nothing = nothing;
  if (cancelled) {
    const stopped = note(reading.cancelled, reading.retry, () => loader.retry());
    shown = none ? whole(stopped) : stopped;
  } else if (problem) {
    const notice = html`<auditlane-problem .problem=${problem} @retry=${() => viewer.retry()}></auditlane-problem>`;
    shown = none ? whole(notice) : html`<div class="note"><div>${notice}</div></div>`;
  } else if (slow) shown = note(reading.slow, reading.cancel, () => loader.cancel());
  else if (!none && pages.count === 0) shown = whole(html`<auditlane-empty></auditlane-empty>`);
  return html`<div class="note top">${fresh ? html`<button class="primary" @click=${toTop}>${fresh}</button>` : nothing}</div>
    ${shown}
    <span class="unseen" role="status">${cancelled ? reading.cancelled : slow ? reading.slow : coming ? reading.loading : fresh}</span>`;
}

function note(said: string, act: string, then: () => void): TemplateResult {
  return html`<div class="note"><div><p>${said}</p><button @click=${then}>${act}</button></div></div>`;
}

function whole(what: TemplateResult): TemplateResult {
  return html`<div class="whole">${what}</div>`;
}
