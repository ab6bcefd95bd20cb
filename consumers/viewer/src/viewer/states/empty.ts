/** `<auditlane-empty>`: nothing to show: because nothing was ever sent, or because nothing matches what is looked for. */
import { css, html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import type { Facet } from "../../api/types.js";
import { findQueryField, queryFields } from "../../model/query-fields.js";
import { caseSensitiveTerms, suggestCase, type CaseSuggestion, replaceTerm } from "../../model/case-suggestion.js";
import { ALL_TIME } from "../../model/range.js";
import { formatRange } from "../../model/format/summary.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import { withQuery } from "../search/facet.js";
import { RequestController } from "../../elements/request-controller.js";
import { formatNumber } from "../describe.js";

const TERMS = 3; // of a query that are looked at for their capitals
const VALUES = 100;

/** What would be looked for, and what one term of it would be. */
interface Suggestion extends CaseSuggestion {
  readonly query: string;
}

/** For the table's place when a list has no event. */
@customElement("auditlane-empty")
export class Empty extends ViewerElement {
  static override styles = [
    baseStyles,
    css`
      :host {
        display: grid;
        place-items: center;
        padding: 2rem 1rem;
      }
      .box {
        display: flex;
        flex-direction: column;
        align-items: center;
        gap: 0.6rem;
        max-width: 36rem;
        text-align: center;
      }
      .box > .icon {
        width: 1.75rem;
        height: 1.75rem;
        color: var(--ink-2);
      }
      p {
        margin: 0;
        overflow-wrap: anywhere;
      }
      .head {
        font-size: 1.1em;
        font-weight: 600;
      }
      code {
        padding: 0.1em 0.35em;
        border-radius: calc(var(--radius) * 0.67);
        background: var(--ground-3);
      }
      .ways {
        display: flex;
        flex-wrap: wrap;
        justify-content: center;
        gap: 0.5rem;
        align-items: center;
        margin-block-start: 0.4rem;
      }
      .offer code {
        overflow: hidden;
        max-width: 20rem;
        text-overflow: ellipsis;
      }
    `,
  ];

  /** What would match if capitals did not count. */
  private readonly suggestions = new RequestController<Suggestion[]>(this);

  protected override willUpdate(): void {
    const { viewer } = this;
    const { query } = viewer.view;
    const known = queryFields(viewer.fields, this.text.search.fields);
    const terms = caseSensitiveTerms(query, (parameter) => findQueryField(known, parameter).kind === "text").slice(0, TERMS);
    this.suggestions.request(JSON.stringify([query, viewer.view.range, viewer.refreshCount]), async (signal) => {
      const found = terms.map(async (term) => {
        const params = [...withQuery(viewer.filter(), term.probeQuery), ["field", term.parameter], ["limit", String(VALUES)]] as const;
        const other = suggestCase(term, (await viewer.client.json<Facet>("/v1/facets", { params, signal })).data);
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
      </div>`;
    }
    return html`<div class="box" part="empty">
      ${icon("search")}
      <div role="status">
        <p class="head">${states.nothingMatches}</p>
        ${query.trim() ? html`<p>${states.youLookFor}: <code>${query.trim()}</code></p>` : nothing}
        ${rangeText ? html`<p>${states.inTime}: ${rangeText}</p>` : nothing}
      </div>
      ${this.renderSuggestions()}
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

  private renderSuggestions(): TemplateResult | typeof nothing {
    const { states } = this.text;
    const offers = this.suggestions.pending ? [] : (this.suggestions.result ?? []);
    if (!offers.length) return nothing;
    return html`<div class="ways" role="status">
      <span>${states.capitals}</span>
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
