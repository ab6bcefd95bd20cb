import { html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import type { Count, Stats } from "../../api/types.js";
import { RequestController } from "../../elements/request-controller.js";
import { visible } from "../../model/format/text.js";
import { withPick } from "../../model/picks.js";
import { withTerm } from "../../model/query.js";
import type { Range } from "../../model/range.js";
import { instantOf, localTimeOf } from "../../model/zone.js";
import { baseStyles } from "../../styles/base.js";
import { fieldLabel, formatNumber, valueLabel } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import { withQuery } from "./facet-list.js";
import { tilesStyles } from "./tiles.styles.js";

const SEVERE = "severity:>=High";
const WEEK: Range = { kind: "preset", preset: "7d" };
const SHOWN = 3;

/**
 * @summary Shows figures for today and for the last seven days. They follow the query, but not the time range.
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
    const params = [...withQuery([], viewer.view.query), ...viewer.accessParams, ["tz", viewer.zone]] as const;
    const revision = viewer.recountCount;
    this.stats.request(JSON.stringify(params), (signal) => viewer.client.json<Stats>("/v1/stats", { params, signal }), { revision });
  }

  protected override render(): TemplateResult {
    const { tiles } = this.text.search;
    if (this.stats.problem && !this.stats.result) return html`<p class="failed quietly" role="status">${tiles.failed}</p>`;
    const stats = this.stats.result;
    const { query } = this.viewer.view;
    return html`<section aria-label=${query.trim() ? `${tiles.label}. ${tiles.matching}` : tiles.label}>
      <div class="tiles" aria-busy=${this.stats.pending && this.stats.outdated}>
        ${this.number(tiles.today, stats?.today, tiles.showToday, () => this.viewer.changeSearch(() => ({ range: this.todayRange() })))}
        ${this.number(tiles.week, stats?.week, tiles.showWeek, () => this.viewer.changeSearch(() => ({ range: WEEK })))}
        ${this.number(tiles.severe, stats?.severe, tiles.showSevere, () => this.showSevere(), tiles.severeNote)}
        ${this.list(tiles.actions, "action", stats?.actions)} ${this.list(tiles.actors, "actor", stats?.actors)}
      </div>
    </section>`;
  }

  private number(name: string, value: number | undefined, title: string, action: () => void, note = ""): TemplateResult {
    const shown = value === undefined ? html`<span class="waiting"></span>` : formatNumber(this.viewer, value);
    return html`<button class="tile" part="tile" title=${title} ?disabled=${value === undefined} @click=${() => this.showList(action)}>
      <span class="name">${name}</span>
      <span class="number ${note && value ? "some" : ""}">${shown}</span>
      ${note ? html`<span class="note">${note}</span>` : nothing}
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

  /** Shows the events that a number counts, and refreshes the number with them. */
  private showList(action: () => void): void {
    action();
    this.stats.invalidate();
  }

  private add(parameter: string, value: string | null): void {
    void this.viewer.changeSearch((query) => ({ query: withPick(query, parameter, value, "only") }));
  }

  private showSevere(): void {
    void this.viewer.changeSearch((query) => ({ query: withTerm(query, SEVERE), range: WEEK }));
  }

  /** Returns the range since midnight in the zone. */
  private todayRange(): Range {
    const midnight = instantOf(localTimeOf(this.viewer.asOf, this.viewer.zone).day, "", this.viewer.zone);
    return { kind: "custom", from: new Date(midnight).toISOString().replace(".000Z", "Z"), to: "" };
  }
}
