import { html, nothing, type TemplateResult } from "lit";

import type { EventPage, Facet } from "../../api/types.js";
import { customElement } from "../../elements/define.js";
import { RequestController } from "../../elements/request-controller.js";
import type { NearMiss } from "../../model/near-miss.js";
import { formatRange } from "../../model/format/summary.js";
import { findQueryField, queryFields } from "../../model/query-fields.js";
import { ALL_TIME } from "../../model/range.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { formatNumber } from "../describe.js";
import { withQuery } from "../search/narrowing.js";
import { ViewerElement } from "../viewer-element.js";
import { emptyStyles } from "./empty.styles.js";

const MAX_TERMS = 3; // a query with more terms is not searched for near misses
const MAX_VALUES = 100;

/** A suggested term together with the whole query. */
interface Suggestion extends NearMiss {
  readonly query: string;
}

/**
 * @summary Replaces the table when the list is empty because nothing has been sent yet or nothing matches.
 *
 * @csspart empty - The content.
 */
@customElement("auditlane-empty")
export class Empty extends ViewerElement {
  static override styles = [baseStyles, emptyStyles];

  /** Terms that would match, either with the case of values in the log or as the beginning or end of values. */
  private readonly suggestions = new RequestController<Suggestion[]>(this);

  /** Whether events about access to the log match. These are hidden. */
  private readonly hiddenAccess = new RequestController<boolean>(this);

  protected override willUpdate(): void {
    const { viewer } = this;
    const { query } = viewer.view;
    this.hiddenAccess.request(JSON.stringify([query, viewer.view.range, viewer.accessParams, viewer.refreshCount]), async (signal) => {
      if (viewer.preferences.access) return false;
      const params = [...viewer.filter(), ["include_access", "true"], ["limit", "1"]] as const;
      return (await viewer.client.json<EventPage>("/v1/events", { params, signal })).data.length > 0;
    });
    this.suggestions.request(JSON.stringify([query, viewer.view.range, viewer.refreshCount]), async (signal) => {
      const { exactTerms, replaceTerm, suggestNearMiss } = await import("../../model/near-miss.js");
      const known = queryFields(viewer.fields, this.text.search.fields);
      const terms = exactTerms(query, (parameter) => findQueryField(known, parameter).kind === "text").slice(0, MAX_TERMS);
      const found = terms.map(async (term) => {
        const params = [...withQuery(viewer.filter(), term.probeQuery), ["field", term.parameter], ["limit", String(MAX_VALUES)]] as const;
        const other = suggestNearMiss(term, (await viewer.client.json<Facet>("/v1/facets", { params, signal })).data);
        return other ? [{ ...other, query: replaceTerm(query, term.text, other.text) }] : [];
      });
      return (await Promise.all(found)).flat();
    });
  }

  protected override render(): TemplateResult {
    const { states } = this.text;
    const { query, range } = this.viewer.view;
    const rangeText = formatRange(range, this.text, this.viewer.language, this.viewer.zone);
    if (!query.trim() && !rangeText) {
      return html`<div class="box" part="empty" role="status">
        ${icon("clock")}
        <p class="head">${states.nothingYet}</p>
        <p class="quietly">${states.nothingYetAdvice}</p>
        ${this.renderHidden()}
      </div>`;
    }
    return html`<div class="box" part="empty">
      ${icon("search")}
      <div role="status">
        <p class="head">${states.nothingMatches}</p>
        ${query.trim() ? html`<p>${states.searchedFor}: <code>${query.trim()}</code></p>` : nothing}
        ${rangeText ? html`<p>${states.inTime}: ${rangeText}</p>` : nothing}
      </div>
      ${this.renderSuggestions()} ${this.renderHidden()}
      <div class="ways">
        ${query.trim()
          ? html`<button @click=${() => this.viewer.setView({ query: "" })}>${icon("close")}${states.clearFilters}</button>`
          : nothing}
        ${rangeText
          ? html`<button @click=${() => this.viewer.setView({ range: ALL_TIME })}>${icon("clock")}${states.allTime}</button>`
          : nothing}
      </div>
    </div>`;
  }

  private renderHidden(): TemplateResult | typeof nothing {
    const { states } = this.text;
    if (this.hiddenAccess.pending || !this.hiddenAccess.result) return nothing;
    return html`<div class="ways" role="status">
      <span>${states.accessHidden}</span>
      <button @click=${() => this.viewer.showAccess(true)}>${states.showAccess}</button>
    </div>`;
  }

  private renderSuggestions(): TemplateResult | typeof nothing {
    const { states } = this.text;
    const offers = this.suggestions.pending ? [] : (this.suggestions.result ?? []);
    if (!offers.length) return nothing;
    return html`<div class="ways" role="status">
      <span>${states.nearMisses}</span>
      ${offers.map(
        ({ text, events, query }) => html`<button class="offer" @click=${() => this.viewer.setView({ query })}>
          <code>${text}</code><span class="quietly">${states.countedEvents(events, formatNumber(this.viewer, events))}</span>
        </button>`,
      )}
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-empty": Empty;
  }
}
