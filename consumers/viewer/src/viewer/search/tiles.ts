/** `<auditlane-tiles>`: the numbers of today and this week. */
import { css, html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import type { Count, Stats } from "../../api/types.js";
import { visible } from "../../model/format/text.js";
import { withPick } from "../../model/picks.js";
import type { Range } from "../../model/range.js";
import { withTerm } from "../../model/query.js";
import { instantOf, localTimeOf } from "../../model/zone.js";
import { baseStyles } from "../../styles/base.js";
import { ViewerElement } from "../viewer-element.js";
import { withQuery } from "./facet.js";
import { RequestController } from "../../elements/request-controller.js";
import { fieldLabel, formatNumber } from "../describe.js";

const SEVERE = "severity:>=High";
const WEEK: Range = { kind: "preset", preset: "7d" };
const SHOWN = 3;

/** They follow the query, but not the time that is looked at: they are of today and of the last seven days. */
@customElement("auditlane-tiles")
export class Tiles extends ViewerElement {
  static override styles = [
    baseStyles,
    css`
      :host {
        display: block;
        container-type: inline-size;
      }
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
      }
      .tiles {
        display: grid;
        grid-template-columns: repeat(3, minmax(7rem, 1fr)) repeat(2, minmax(12rem, 2fr));
        gap: 0.6rem;
      }
      .tile {
        min-width: 0;
        min-height: 5.1rem;
        padding: 0.5rem 0.75rem;
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--ground);
      }
      button.tile {
        display: flex;
        flex-direction: column;
        align-items: start;
        justify-content: start;
        gap: 0;
        width: 100%;
        height: 100%;
        text-align: start;
        white-space: normal;
      }
      .name,
      h3 {
        margin: 0;
        color: var(--ink-2);
        font-size: 0.86em;
        font-weight: 400;
      }
      .number {
        font-size: 1.6em;
        font-weight: 600;
        font-variant-numeric: tabular-nums;
        letter-spacing: -0.01em;
        line-height: 1.25;
      }
      .some {
        color: var(--bad);
      }
      .note {
        color: var(--ink-2);
        font-size: 0.82em;
      }
      li button {
        position: relative;
        justify-content: space-between;
        gap: 0.75rem;
        width: 100%;
        min-height: 24px;
        padding: 0 0.35rem;
        margin-inline: -0.35rem;
        box-sizing: content-box;
      }
      .value {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
        unicode-bidi: isolate;
      }
      .count {
        color: var(--ink-2);
        font-variant-numeric: tabular-nums;
      }
      .waiting {
        display: inline-block;
        width: 3.5rem;
        height: 0.8em;
        border-radius: 3px;
        background: var(--ground-3);
      }
      [aria-busy="true"] .number,
      [aria-busy="true"] .value {
        opacity: 0.7; /* as old, and still to be read */
      }
      .failed {
        display: grid;
        place-items: center;
        min-height: 5.1rem;
        margin: 0;
        border: 1px dashed var(--line);
        border-radius: var(--radius);
      }
      @container (max-width: 60rem) {
        .tiles {
          grid-template-columns: repeat(6, 1fr);
        }
        .tiles > * {
          grid-column: span 2;
        }
        .tiles > .list {
          grid-column: span 3;
        }
      }
      @container (max-width: 34rem) {
        .tiles > .list {
          display: none;
        }
        .note {
          display: none;
        }
        .tile {
          min-height: 0;
        }
      }
    `,
  ];

  private readonly stats = new RequestController<Stats>(this, (problem) => {
    const retry = (): void => this.stats.invalidate();
    this.viewer?.failures.set(this.stats, problem && { problem, keepsData: this.stats.result !== null, shownInPlace: false, retry });
  });

  protected override willUpdate(): void {
    const { viewer } = this;
    const params = [...withQuery([], viewer.view.query), ["tz", viewer.zone]] as const;
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
        ${this.number(tiles.today, stats?.today, tiles.showToday, () => this.viewer.setView({ range: this.todayRange() }))}
        ${this.number(tiles.week, stats?.week, tiles.showWeek, () => this.viewer.setView({ range: WEEK }))}
        ${this.number(tiles.severe, stats?.severe, tiles.showSevere, () => this.showSevere(), tiles.severeNote)}
        ${this.list(tiles.actions, "action", stats?.actions)} ${this.list(tiles.actors, "actor", stats?.actors)}
      </div>
    </section>`;
  }

  private number(name: string, value: number | undefined, title: string, act: () => void, note = ""): TemplateResult {
    const shown = value === undefined ? html`<span class="waiting"></span>` : formatNumber(this.viewer, value);
    return html`<button class="tile" part="tile" title=${title} ?disabled=${value === undefined} @click=${() => this.showList(act)}>
      <span class="name">${name}</span>
      <span class="number ${note && value ? "some" : ""}">${shown}</span>
      ${note ? html`<span class="note">${note}</span>` : nothing}
    </button>`;
  }

  private list(name: string, parameter: string, counts: readonly Count[] | undefined): TemplateResult {
    const { tiles } = this.text.search;
    const rows = (counts ?? []).slice(0, SHOWN).map(({ value, events }) => {
      const shown = value === null ? tiles.none : visible(value);
      return html`<li>
        <button class="quiet" title=${tiles.add(fieldLabel(this.viewer, parameter), shown)} @click=${() => this.add(parameter, value)}>
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

  /** The list is of now: so is the number beside it. */
  private showList(act: () => void): void {
    act();
    this.stats.invalidate();
  }

  private add(parameter: string, value: string | null): void {
    this.viewer.setView({ query: withPick(this.viewer.view.query, parameter, value, "only") });
  }

  private showSevere(): void {
    this.viewer.setView({ query: withTerm(this.viewer.view.query, SEVERE), range: WEEK });
  }

  /** From the zone's midnight on. */
  private todayRange(): Range {
    const midnight = instantOf(localTimeOf(this.viewer.asOf, this.viewer.zone).day, "", this.viewer.zone);
    return { kind: "custom", from: new Date(midnight).toISOString().replace(".000Z", "Z"), to: "" };
  }
}
