import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import type { Count, Facet } from "../../api/types.js";
import { customElement } from "../../elements/define.js";
import { RequestController } from "../../elements/request-controller.js";
import { containing } from "../../model/containing.js";
import { visible } from "../../model/format/text.js";
import { parsePicks, type Value, withoutPicks, withPick, withPicks } from "../../model/picks.js";
import { kindOf, maySucceedLater } from "../../model/problem-kind.js";
import { findQueryField, hasValueSearch, type QueryFieldKind, queryFields } from "../../model/query-fields.js";
import { wildcardTerm, withTerm } from "../../model/query.js";
import { baseStyles } from "../../styles/base.js";
import { fieldLabel, formatNumber, valueLabel } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import { facetListStyles } from "./facet-list.styles.js";
import { narrowingTerm, withQuery } from "./narrowing.js";

const MAX_VALUES = 100;
const SEARCHABLE_FROM = 12; // number of values from which on a search input is shown

/**
 * @summary Lists the values of a field with their counts, to include and exclude them in the query.
 *
 * Put it inside a menu or popover, anywhere in a viewer: `<auditlane-facet parameter="metadata.region">`. Counts apply to
 * the whole view except this field's own picks. A choice changes the query immediately.
 *
 * @event done - The list is no longer needed (bubbles, composed).
 */
@customElement("auditlane-facet")
export class FacetList extends ViewerElement {
  static override styles = [baseStyles, facetListStyles];

  /** The name of the field in a filter (`ShownField.parameter`, `metadata.<key>`). Times and `metadata` itself have no list of values. */
  @property() parameter = "";

  @state() private filterText = "";
  @query(".within, input, button") private first!: HTMLElement | null;

  private readonly facet = new RequestController<Facet>(this);
  private wasTruncated = false;

  override focus(options?: FocusOptions): void {
    void this.updateComplete.then(() => this.first?.focus(options));
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("parameter")) {
      this.filterText = "";
      this.wasTruncated = false;
    }
    if (!this.parameter) return;
    const viewer = this.viewer;
    const narrowed = this.filterText && this.truncated ? [narrowingTerm(this.viewer, this.parameter, this.filterText)] : [];
    const under = narrowed.reduce(withTerm, withoutPicks(viewer.view.query, this.parameter));
    const params = [...withQuery(viewer.filter(), under), ["field", this.parameter], ["limit", String(MAX_VALUES)]] as const;
    this.facet.request(
      JSON.stringify([params, viewer.refreshCount]),
      (signal) => viewer.client.json<Facet>("/v1/facets", { params, signal }),
      { debounceMs: narrowed.length ? 250 : 0 },
    );
  }

  protected override render(): TemplateResult {
    const { text } = this;
    const picks = parsePicks(this.viewer.view.query, this.parameter);
    const any = picks.included.length + picks.excluded.length > 0;
    const rows = this.rows([...picks.included, ...picks.excluded]);
    const name = fieldLabel(this.viewer, this.parameter);
    return html`
      ${this.searchable
        ? html`<input
            class="within"
            type="search"
            aria-label=${text.search.facet.within(name)}
            placeholder=${text.search.facet.search}
            .value=${this.filterText}
            @input=${(event: Event) => (this.filterText = (event.target as HTMLInputElement).value)}
          />`
        : nothing}
      ${this.renderContaining()}
      ${this.offersPrefix(rows)
        ? html`<button class="quiet begins" @click=${() => this.filterBy(this.filterText, "first")}>${text.search.facet.begins(this.filterText)}</button>`
        : nothing}
      <div aria-busy=${this.facet.pending}>${this.list(name, rows)}</div>
      ${(this.facet.result?.data.length ?? 0) >= MAX_VALUES
        ? html`<p class="quietly small">${text.search.facet.most(formatNumber(this.viewer, MAX_VALUES))}</p>`
        : nothing}
      ${any
        ? html`<footer>
            <button class="quiet" @click=${() => this.changeQuery((query) => withPicks(query, this.parameter, { included: [], excluded: [] }))}>
              ${text.search.facet.clear}
            </button>
            <button @click=${this.emitDone}>${text.search.done}</button>
          </footer>`
        : nothing}
    `;
  }

  private list(name: string, rows: readonly Count[]): TemplateResult {
    const { text } = this;
    if (this.facet.problem) {
      const kind = kindOf(this.facet.problem);
      return html`<p role="alert">
        ${text.states.problems[kind].title}.
        ${maySucceedLater(kind) ? html`<button @click=${() => this.facet.invalidate()}>${text.states.retry}</button>` : nothing}
      </p>`;
    }
    if (!this.facet.result) return html`<p role="status" class="quietly">${text.states.loading}</p>`;
    if (!rows.length) return html`<p role="status" class="quietly">${text.search.facet.nothing}</p>`;
    const highest = Math.max(...rows.map((row) => row.events), 1);
    return html`<ul aria-label=${text.search.facet.values(name)}>
      ${repeat(
        rows,
        (row) => row.value ?? "\u0000",
        (row) => this.row(row, row.events / highest),
      )}
    </ul>`;
  }

  private row({ value, events }: Count, share: number): TemplateResult {
    const { facet } = this.text.search;
    const picks = parsePicks(this.viewer.view.query, this.parameter);
    const only = picks.included.includes(value);
    const not = picks.excluded.includes(value);
    const shown = this.labelOf(value);
    const name = this.parameter === "action" && value !== null && shown !== visible(value) ? visible(value) : "";
    return html`<li class=${not ? "out" : ""}>
      <svg class="share" aria-hidden="true"><rect width="${(share * 100).toFixed(1)}%" height="2"></rect></svg>
      <label title=${name ? `${shown} (${name})` : shown}>
        <input type="checkbox" .checked=${only} @change=${() => this.toggle(value, only ? null : "only")} />
        <span class="value ${value === null ? "none" : ""}">${shown}${name ? html` <bdi class="raw">${name}</bdi>` : nothing}</span>
        <span class="count">${formatNumber(this.viewer, events)}</span>
      </label>
      <button
        class="quiet"
        aria-pressed=${not}
        aria-label=${facet.outLabel(shown)}
        @click=${() => this.toggle(value, not ? null : "not")}
      >
        ${facet.out}
      </button>
    </li>`;
  }

  /** Returns the counted values, and picked values even if no event has them. */
  private rows(picks: readonly Value[]): Count[] {
    const found = this.facet.result?.data ?? [];
    const lacking = picks.filter((value) => !found.some((count) => count.value === value));
    const all = [...lacking.map((value) => ({ value, events: 0 })), ...found];
    const typed = this.filterText.toLowerCase();
    const matches = (value: Value): boolean =>
      this.labelOf(value).toLowerCase().includes(typed) ||
      (this.parameter === "action" && value !== null && this.viewer.actions.matches(value, typed));
    return typed ? all.filter(({ value }) => matches(value)) : all;
  }

  private labelOf(value: Value): string {
    return value === null ? this.text.search.facet.none : valueLabel(this.viewer, this.parameter, value);
  }

  /** Whether the service had more values than it sent, so that it has to search for the typed text. */
  private get truncated(): boolean {
    return (this.wasTruncated ||= (this.facet.result?.data.length ?? 0) >= MAX_VALUES);
  }

  private get searchable(): boolean {
    return this.filterText !== "" || hasValueSearch(this.kind) || (this.facet.result?.data.length ?? 0) > SEARCHABLE_FROM;
  }

  private get kind(): QueryFieldKind {
    return findQueryField(queryFields(this.viewer.fields, this.text.search.fields), this.parameter).kind;
  }

  /** Whether any of the counted values starts with the typed text. */
  private offersPrefix(rows: readonly Count[]): boolean {
    if (!this.filterText || this.filterText.includes("*") || this.kind !== "text") return false;
    return this.truncated || rows.some(({ value }) => value?.startsWith(this.filterText));
  }

  /** Offers all values that contain the typed text as one term, if there are several. */
  private renderContaining(): TemplateResult | typeof nothing {
    const { facet } = this.text.search;
    const data = this.facet.result?.data ?? [];
    const common = this.kind === "text" ? containing(data, this.filterText, data.length < MAX_VALUES) : null;
    if (!common) return nothing;
    return html`<button class="quiet begins" @click=${() => this.filterBy(common.text, "within")}>
      <span>${facet.contain(common.text)}</span>
      ${common.events === null ? nothing : html`<span class="count">${formatNumber(this.viewer, common.events)}</span>`}
    </button>`;
  }

  private filterBy(text: string, where: "within" | "first"): void {
    this.changeQuery((query) => withTerm(query, wildcardTerm(this.parameter, text, where)));
    this.filterText = "";
    this.focus();
  }

  private toggle(value: Value, as: "only" | "not" | null): void {
    this.changeQuery((query) => withPick(query, this.parameter, value, as));
  }

  private changeQuery(change: (query: string) => string): void {
    void this.viewer.changeSearch((query) => ({ query: change(query) }));
  }

  private readonly emitDone = (): void => {
    this.dispatchEvent(new CustomEvent("done", { bubbles: true, composed: true }));
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-facet": FacetList;
  }
}
