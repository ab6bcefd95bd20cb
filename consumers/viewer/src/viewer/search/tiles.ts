import { html, nothing, type TemplateResult } from "lit";

import type { Count, Stats } from "../../api/types.js";
import { customElement } from "../../elements/define.js";
import { RequestController } from "../../elements/request-controller.js";
import { isComparable } from "../../model/comparison.js";
import { visible } from "../../model/format/text.js";
import { withPicks } from "../../model/picks.js";
import { withTerm } from "../../model/query.js";
import { type Range, rangeParams } from "../../model/range.js";
import { instantOf, localTimeOf } from "../../model/zone.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { describeChange, fieldLabel, formatNumber, valueLabel } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import { withQuery } from "./narrowing.js";
import { tilesStyles } from "./tiles.styles.js";

const SEVERE = "severity:>=High";
const WEEK: Range = { kind: "preset", preset: "7d" }; // counted instead of all time, which would be expensive
const SHOWN = 3;

/**
 * @summary Shows figures for the search or, if it covers all time, for the last seven days. Each leads to the events
 * that it counts.
 *
 * @csspart tile - One figure or list.
 */
@customElement("auditlane-tiles")
export class Tiles extends ViewerElement {
  static override styles = [baseStyles, tilesStyles];

  private readonly stats = new RequestController<Stats>(this, (problem) => {
    const retry = (): void => this.stats.invalidate();
    this.viewer?.failures.set(this.stats, problem && { problem, keepsData: this.stats.result !== null, shownInPlace: false, retry });
  });

  protected override willUpdate(): void {
    const { viewer } = this;
    if (viewer.preferences.tilesFolded) return this.stats.reset();
    const { accessParams, view, zone } = viewer;
    const own = [["tz", zone], ["compare", String(view.compare && isComparable(this.period, viewer.asOf))]] as const;
    const params = [...withQuery(rangeParams(this.period, viewer.asOf), view.query), ...accessParams, ...own];
    const revision = viewer.recountCount;
    const key = JSON.stringify([view.query.trim(), view.range, accessParams, own]);
    this.stats.request(key, (signal) => viewer.client.json<Stats>("/v1/stats", { params, signal }), { revision });
  }

  protected override render(): TemplateResult {
    const { tiles } = this.text.search;
    const { query } = this.viewer.view;
    const folded = this.viewer.preferences.tilesFolded;
    const label = folded ? tiles.show : tiles.hide;
    return html`<section aria-label=${query.trim() ? `${tiles.label}. ${tiles.matching}` : tiles.label}>
      <button
        class="quiet icon fold"
        aria-expanded=${!folded}
        aria-label=${label}
        title=${label}
        @click=${() => this.viewer.setPreferences({ tilesFolded: !folded })}
      >
        ${icon(folded ? "unfold" : "fold")}
      </button>
      ${folded ? html`<span class="quietly">${tiles.label}</span>` : this.renderTiles()}
    </section>`;
  }

  private renderTiles(): TemplateResult {
    const { tiles } = this.text.search;
    const { problem, result: stats, pending, outdated } = this.stats;
    if (problem && !stats) return html`<p class="failed quietly" role="status">${tiles.failed}</p>`;
    const ever = this.viewer.view.range.kind === "ever";
    const range = this.period;
    return html`<div class="tiles ${ever ? "" : "chosen"}" aria-busy=${pending && outdated}>
      ${ever ? this.number(tiles.today, stats?.today, tiles.showToday, () => this.showEvents({ range: this.todayRange() })) : nothing}
      ${this.number(ever ? tiles.week : tiles.events, stats?.events, tiles.showEvents, () => this.showEvents({ range }), "", stats?.before?.events)}
      ${this.number(ever ? tiles.severeWeek : tiles.severe, stats?.severe, tiles.showSevere, () => this.showSevere(), tiles.severeNote, stats?.before?.severe)}
      ${this.list(ever ? tiles.actionsWeek : tiles.actions, "action", stats?.actions)}
      ${this.list(ever ? tiles.actorsWeek : tiles.actors, "actor", stats?.actors)}
    </div>`;
  }

  /** The range that the figures cover. */
  private get period(): Range {
    const { range } = this.viewer.view;
    return range.kind === "ever" ? WEEK : range;
  }

  /** Shows a number. If there is a `before`, the number for the preceding period, it is compared with it in place of the note. */
  private number(name: string, value: number | undefined, title: string, action: () => void, note = "", before?: number): TemplateResult {
    const shown = value === undefined ? html`<span class="waiting"></span>` : formatNumber(this.viewer, value);
    return html`<button class="tile" part="tile" title=${title} ?disabled=${value === undefined} @click=${() => this.showList(action)}>
      <span class="name">${name}</span>
      <span class="number ${note && value ? "some" : ""}">${shown}</span>
      ${value !== undefined && before !== undefined
        ? html`<span class="compared"
            >${describeChange(this.viewer, before, value).text}
            <span class="note">${this.text.groups.wasBefore(formatNumber(this.viewer, before))}</span></span
          >`
        : note
          ? html`<span class="note">${note}</span>`
          : nothing}
    </button>`;
  }

  private list(name: string, parameter: string, counts: readonly Count[] | undefined): TemplateResult {
    const { tiles } = this.text.search;
    const rows = (counts ?? []).slice(0, SHOWN).map(({ value, events }) => {
      const shown = value === null ? tiles.none : valueLabel(this.viewer, parameter, value);
      const title = value === null || shown === visible(value) ? shown : `${shown} (${visible(value)})`;
      return html`<li>
        <button class="quiet" title=${tiles.add(fieldLabel(this.viewer, parameter), title)} @click=${() => this.add(parameter, value)}>
          <span class="value">${shown}</span><span class="count">${formatNumber(this.viewer, events)}</span>
        </button>
      </li>`;
    });
    return html`<div class="tile list" part="tile">
      <h3>${name}</h3>
      ${counts && !counts.length
        ? html`<span class="note">${tiles.nothing}</span>`
        : html`<ul aria-label=${name}>
            ${counts ? rows : html`<li><span class="waiting"></span></li>`}
          </ul>`}
    </div>`;
  }

  /** Shows the events that a number counts, and refreshes the number together with them. */
  private showList(action: () => void): void {
    action();
    this.stats.invalidate();
  }

  private add(parameter: string, value: string | null): void {
    const range = this.period;
    void this.viewer.changeSearch((query) => ({ query: withPicks(query, parameter, { included: [value], excluded: [] }), range }));
  }

  private showEvents(changes: { range: Range }): void {
    void this.viewer.changeSearch(() => changes);
  }

  private showSevere(): void {
    const range = this.period;
    void this.viewer.changeSearch((query) => ({ query: withTerm(query, SEVERE), range }));
  }

  /** Returns the range since midnight in the zone. */
  private todayRange(): Range {
    const midnight = instantOf(localTimeOf(this.viewer.asOf, this.viewer.zone).day, "", this.viewer.zone);
    return { kind: "custom", from: new Date(midnight).toISOString().replace(".000Z", "Z"), to: "" };
  }
}
