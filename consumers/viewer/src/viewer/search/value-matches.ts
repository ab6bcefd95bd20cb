import { html, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";

import type { Count, Facet } from "../../api/types.js";
import { customElement } from "../../elements/define.js";
import { RequestController } from "../../elements/request-controller.js";
import { containing } from "../../model/containing.js";
import { visible } from "../../model/format/text.js";
import { withoutPicks, withPick } from "../../model/picks.js";
import { findQueryField, type QueryField, queryFields } from "../../model/query-fields.js";
import { wildcardTerm, withTerm } from "../../model/query.js";
import { baseStyles } from "../../styles/base.js";
import { fieldLabel, formatNumber, valueLabel } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import { narrowingTerm, withQuery } from "./narrowing.js";
import { filterMenuStyles } from "./filter-menu.styles.js";

/** The fields whose values are searched. Each of them costs a request. */
const SEARCHED = ["outcome", "severity", "action", "actor", "resource"];
const MAX_VALUES = 100;
const MAX_SHOWN = 4; // per field
const DEBOUNCE_MS = 150;

interface Match {
  readonly label: string;
  readonly events: number | null;
  /** Returns the query with this filter added. */
  readonly add: (query: string) => string;
}

/**
 * @summary Lists values that contain a text, with their fields. A choice filters by the value.
 *
 * @event {CustomEvent<string>} chosen - A value was chosen; `detail` describes the filter.
 */
@customElement("auditlane-value-matches")
export class ValueMatches extends ViewerElement {
  static override styles = [baseStyles, filterMenuStyles];

  @property() typed = "";
  /** Whether nothing else matches the text. */
  @property({ attribute: false }) alone = false;

  private readonly facets = new Map(SEARCHED.map((field) => [field, new RequestController<Facet>(this)]));
  /** The fields that have more values than the service sends, so that the service has to search them. */
  private readonly truncated = new Set<string>();
  private found: Match[] = [];
  /** Whether to choose the first match as soon as it is known. */
  private awaited = false;

  /** Chooses the first match. While matches are loading, waits for the first one. */
  chooseFirst(): void {
    this.awaited = true;
    this.requestUpdate();
  }

  protected override willUpdate(): void {
    this.found = this.searched.flatMap((field) => {
      const facet = this.facets.get(field.parameter) as RequestController<Facet>;
      this.request(facet, field.parameter);
      return this.matchesOf(field, facet.result?.data ?? []);
    });
  }

  protected override render(): TemplateResult | typeof nothing {
    const { filter } = this.text.search;
    if (!this.found.length) {
      return this.alone && !this.pending ? html`<p class="quietly" role="status">${filter.nothing}</p>` : nothing;
    }
    return html`<h3>${filter.values}</h3>
      <ul aria-label=${filter.values}>
        ${this.found.map(
          (match) => html`<li>
            <button class="quiet" @click=${() => this.choose(match)}>
              <bdi>${match.label}</bdi>
              ${match.events === null ? nothing : html`<span class="count">${formatNumber(this.viewer, match.events)}</span>`}
            </button>
          </li>`,
        )}
      </ul>`;
  }

  protected override updated(): void {
    const [first] = this.found;
    if (!this.awaited || (!first && this.pending)) return;
    this.awaited = false;
    if (first) this.choose(first);
  }

  private get pending(): boolean {
    return this.searched.some(({ parameter }) => this.facets.get(parameter)?.pending);
  }

  private get searched(): QueryField[] {
    const known = queryFields(this.viewer.fields, this.text.search.fields).filter(({ filterable }) => filterable);
    return SEARCHED.map((parameter) => findQueryField(known, parameter)).filter((field) => known.includes(field));
  }

  private request(facet: RequestController<Facet>, field: string): void {
    const { viewer, typed } = this;
    if ((facet.result?.data.length ?? 0) >= MAX_VALUES) this.truncated.add(field);
    const narrowed = this.truncated.has(field) ? [narrowingTerm(viewer, field, typed)] : [];
    const query = narrowed.reduce(withTerm, withoutPicks(viewer.view.query, field));
    const params = [...withQuery(viewer.filter(), query), ["field", field], ["limit", String(MAX_VALUES)]] as const;
    const key = JSON.stringify([query, viewer.view.range, viewer.accessParams, viewer.refreshCount]);
    facet.request(key, (signal) => viewer.client.json<Facet>("/v1/facets", { params, signal }), { debounceMs: narrowed.length ? DEBOUNCE_MS : 0 });
  }

  private matchesOf({ parameter, kind }: QueryField, counts: readonly Count[]): Match[] {
    const { viewer } = this;
    const typed = this.typed.trim().toLowerCase();
    const name = fieldLabel(viewer, parameter);
    const common = kind === "text" ? containing(counts, typed, counts.length < MAX_VALUES) : null;
    const found = counts.flatMap(({ value, events }): Match[] => {
      if (value === null) return [];
      const label = valueLabel(viewer, parameter, value);
      const matches = `${value}\n${label}`.toLowerCase().includes(typed) || (parameter === "action" && viewer.actions.matches(value, typed));
      const shown = label === visible(value) || kind !== "text" ? label : `${label} (${visible(value)})`;
      return matches ? [{ label: `${name}: ${shown}`, events, add: (query) => withPick(query, parameter, value, "only") }] : [];
    });
    const whole: Match[] = common
      ? [
          {
            label: this.text.search.terms.within(name, common.text, false),
            events: common.events,
            add: (query) => withTerm(query, wildcardTerm(parameter, common.text, "within")),
          },
        ]
      : [];
    return [...whole, ...found.slice(0, MAX_SHOWN)];
  }

  private choose({ label, add }: Match): void {
    void this.viewer.changeSearch((query) => ({ query: add(query) }));
    this.dispatchEvent(new CustomEvent("chosen", { detail: label }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-value-matches": ValueMatches;
  }
}
