import { html, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";

import type { Histogram } from "../../api/types.js";
import { customElement } from "../../elements/define.js";
import { isLow, isNarrow } from "../../elements/narrow.js";
import { RequestController } from "../../elements/request-controller.js";
import { barCount, barsOf } from "../../model/bars.js";
import { closedRangeParams, endsOf } from "../../model/range.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { describeInterval, formatNumber } from "../describe.js";
import "../groups/group-button.js";
import { ViewerElement } from "../viewer-element.js";
import { withQuery } from "./narrowing.js";
import { histogramStyles } from "./histogram.styles.js";
import { Plot } from "./plot.js";
import { plotStyles } from "./plot.styles.js";

const BUCKETS = 100;

/** @summary Shows the number of events over time, also by groups; selecting bars narrows the time range. */
@customElement("auditlane-histogram")
export class HistogramElement extends ViewerElement {
  static override styles = [baseStyles, plotStyles, histogramStyles];

  @state() private folded = false;
  @state() private groupsLoaded = false;

  private readonly counts = new RequestController<Histogram>(this, (problem) => {
    const retry = (): void => this.counts.invalidate();
    this.viewer?.failures.set(this.counts, problem && { problem, keepsData: this.counts.result !== null, shownInPlace: false, retry });
  });
  private readonly plot = new Plot(this, { viewer: () => this.viewer, label: () => this.summary() });
  private shownResult: Histogram | null = null;
  private shownGroup = "";

  protected override willUpdate(): void {
    const { viewer } = this;
    const { group } = viewer.view;
    if (!this.hasUpdated) this.folded = isNarrow(this) || isLow((this.getRootNode() as ShadowRoot).host); // leaves the space to the events
    if (group && group !== this.shownGroup) this.folded = false; // the group was just chosen
    this.shownGroup = group;
    if (group && !this.groupsLoaded) void this.loadGroups();
    if (this.folded || group) this.counts.reset();
    else this.requestCounts();
    if (this.counts.result !== this.shownResult) {
      this.shownResult = this.counts.result;
      const [since, until] = endsOf(viewer.view.range, viewer.asOf);
      this.plot.setBars(this.counts.result ? barsOf(this.counts.result, since, until, viewer.asOf) : []);
    }
  }

  protected override render(): TemplateResult {
    const { histogram } = this.text.search;
    return html`<section aria-label=${histogram.label}>
      <header>
        <button
          class="quiet fold"
          aria-expanded=${!this.folded}
          aria-controls="chart"
          aria-label=${this.folded ? histogram.show : histogram.hide}
          title=${this.folded ? histogram.show : histogram.hide}
          @click=${this.toggleFolded}
        >
          ${icon(this.folded ? "unfold" : "fold")}
        </button>
        <span class="headline">${this.headline()}</span>
        <auditlane-group-button></auditlane-group-button>
        <span class="read">${this.plot.readout()}</span>
      </header>
      <div id="chart" ?hidden=${this.folded} aria-busy=${this.counts.pending && this.counts.outdated}>
        ${this.folded ? "" : this.renderContent()}
      </div>
    </section>`;
  }

  private requestCounts(): void {
    const { viewer } = this;
    const view = withQuery(closedRangeParams(viewer.view.range, viewer.asOf), viewer.view.query);
    const params = [...view, ...viewer.accessParams, ["tz", viewer.zone], ["buckets", String(barCount(...endsOf(viewer.view.range, viewer.asOf), BUCKETS))]] as const;
    const key = JSON.stringify([viewer.view.query.trim(), viewer.view.range, viewer.zone, viewer.accessParams]);
    const revision = viewer.recountCount;
    this.counts.request(key, (signal) => viewer.client.json<Histogram>("/v1/histogram", { params, signal }), { revision });
  }

  private async loadGroups(): Promise<void> {
    if (await this.viewer.lazyImports.load(() => import("../groups/groups.js"))) this.groupsLoaded = true;
  }

  private renderContent(): TemplateResult {
    const { histogram } = this.text.search;
    if (this.viewer.view.group) {
      return this.groupsLoaded ? html`<auditlane-groups></auditlane-groups>` : html`<p class="empty" role="status"></p>`;
    }
    if (this.counts.problem && !this.counts.result) return html`<p class="quietly" role="status">${histogram.failed}</p>`;
    if (!this.plot.bars.length) {
      return html`<p class="empty quietly" role="status">${this.counts.pending ? "" : histogram.none}</p>`;
    }
    return this.plot.render();
  }

  private headline(): string {
    const { histogram } = this.text.search;
    const { result } = this.counts;
    if (this.folded || !result) return histogram.label;
    const total = histogram.events(result.events, formatNumber(this.viewer, result.events));
    return result.data.length ? `${total}, ${histogram.per(describeInterval(this.viewer, result.interval))}` : total;
  }

  private summary(): string {
    const peak = this.plot.peak();
    return `${this.text.search.histogram.label}. ${this.headline()}${peak ? `, ${peak}` : ""}`;
  }

  private readonly toggleFolded = (): void => {
    this.folded = !this.folded;
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-histogram": HistogramElement;
  }
}
