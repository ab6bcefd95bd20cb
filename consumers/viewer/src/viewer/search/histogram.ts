import { html, nothing, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";

import type { Histogram } from "../../api/types.js";
import { isLow, isNarrow } from "../../elements/narrow.js";
import { RequestController } from "../../elements/request-controller.js";
import { type Bar, barsOf, highest, indexAfterRecount, parseInterval, selectionOf } from "../../model/bars.js";
import { closedRangeParams, endsOf } from "../../model/range.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { formatNumber, localeOf } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import type { Chart } from "./chart.js";
import { withQuery } from "./facet-list.js";
import { histogramStyles } from "./histogram.styles.js";

const BUCKETS = 100;

/** @summary Shows the number of events over time; selecting bars narrows the time range. */
@customElement("auditlane-histogram")
export class HistogramElement extends ViewerElement {
  static override styles = [baseStyles, histogramStyles];

  @state() private folded = false;
  @state() private hovered: number | null = null;
  @state() private active: number | null = null;
  /** Where a keyboard selection began. */
  @state() private anchor: number | null = null;
  @query(".plot") private plot!: HTMLElement | null;

  private readonly counts = new RequestController<Histogram>(this, (problem) => {
    const retry = (): void => this.counts.invalidate();
    this.viewer?.failures.set(this.counts, problem && { problem, keepsData: this.counts.result !== null, shownInPlace: false, retry });
  });
  private bars: Bar[] = [];
  private shownResult: Histogram | null = null;
  private chart: Chart | null = null;
  private chartLoading = false;
  private readonly darkMode = matchMedia("(prefers-color-scheme: dark)");
  private readonly themeObserver = new MutationObserver(() => this.chart?.recolour());
  private readonly recolour = (): void => this.chart?.recolour();

  override connectedCallback(): void {
    super.connectedCallback();
    this.darkMode.addEventListener("change", this.recolour);
    const host = (this.getRootNode() as ShadowRoot).host;
    if (host) this.themeObserver.observe(host, { attributeFilter: ["theme", "style", "class"] });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.darkMode.removeEventListener("change", this.recolour);
    this.themeObserver.disconnect();
    this.closeChart();
  }

  protected override willUpdate(): void {
    const { viewer } = this;
    if (!this.hasUpdated) this.folded = isNarrow(this) || isLow(); // leaves the screen to the events
    if (this.folded) return this.counts.reset();
    const view = withQuery(closedRangeParams(viewer.view.range, viewer.asOf), viewer.view.query);
    const params = [...view, ...viewer.accessParams, ["tz", viewer.zone], ["buckets", String(BUCKETS)]] as const;
    const key = JSON.stringify([viewer.view.query.trim(), viewer.view.range, viewer.zone, viewer.accessParams]);
    const revision = viewer.recountCount;
    this.counts.request(key, (signal) => viewer.client.json<Histogram>("/v1/histogram", { params, signal }), { revision });
    if (this.counts.result !== this.shownResult) {
      this.shownResult = this.counts.result;
      const [since, until] = endsOf(viewer.view.range, viewer.asOf);
      const before = this.bars;
      this.bars = this.counts.result ? barsOf(this.counts.result, since, until, viewer.asOf) : [];
      const indexOf = (index: number | null): number | null => indexAfterRecount(before, this.bars, index);
      this.active = indexOf(this.active);
      this.anchor = indexOf(this.anchor);
      this.hovered = indexOf(this.hovered);
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
        <span class="read">${this.readout()}</span>
      </header>
      <div id="chart" ?hidden=${this.folded} aria-busy=${this.counts.pending && this.counts.outdated}>
        ${this.folded ? nothing : this.renderPlot()}
      </div>
    </section>`;
  }

  protected override updated(): void {
    if (!this.bars.length || !this.plot) return this.closeChart();
    const drawn = { bars: this.bars, zone: this.viewer.zone, locale: localeOf(this.viewer), selection: this.selection() };
    if (this.chart) return this.chart.show(drawn);
    if (this.chartLoading) return;
    this.chartLoading = true;
    const loaded = this.viewer.lazyImports.load(() => import("./chart.js")); // after a failure, the next update tries again
    void loaded.then((found) => {
      this.chartLoading = false;
      if (!found) return;
      if (!this.plot || !this.bars.length || !this.isConnected) return;
      this.chart = new found.Chart(
        this.plot,
        { ...drawn, bars: this.bars, selection: this.selection() },
        { onHover: (bar) => (this.hovered = bar), onSelect: (first, last) => this.selectRange(first, last) },
      );
      this.requestUpdate();
    });
  }

  private renderPlot(): TemplateResult {
    const { histogram } = this.text.search;
    if (this.counts.problem && !this.counts.result) return html`<p class="quietly" role="status">${histogram.failed}</p>`;
    if (!this.bars.length) {
      return html`<p class="empty quietly" role="status">${this.counts.pending ? "" : histogram.none}</p>`;
    }
    const span = this.selection();
    return html`<div class="frame">
      <div class="plot" aria-hidden="true"></div>
      <div
        class="keys"
        role="listbox"
        tabindex="0"
        aria-orientation="horizontal"
        aria-multiselectable="true"
        aria-label=${`${histogram.label}. ${this.summary()}`}
        aria-describedby="hint"
        aria-activedescendant=${this.active === null ? nothing : `bar${this.active}`}
        @keydown=${this.onKeydown}
        @focus=${() => (this.active ??= this.bars.length - 1)}
        @blur=${this.onBlur}
      >
        ${this.bars.map(
          (bar, index) => html`<span
            role="option"
            id=${`bar${index}`}
            aria-selected=${span !== null && index >= span[0] && index <= span[1]}
            >${this.describeBar(bar)}</span
          >`,
        )}
      </div>
      <span id="hint" class="unseen">${histogram.hint}</span>
    </div>`;
  }

  private headline(): string {
    const { histogram } = this.text.search;
    const { result } = this.counts;
    if (this.folded || !result) return histogram.label;
    const total = histogram.events(result.events, formatNumber(this.viewer, result.events));
    return result.data.length ? `${total}, ${histogram.per(this.describeInterval(result.interval))}` : total;
  }

  /** Describes the hovered or the active bar, or the bars selected by keyboard. */
  private readout(): string {
    const { histogram } = this.text.search;
    const span = this.selection();
    if (span && span[0] !== span[1]) {
      const all = selectionOf(this.bars, ...span);
      return all ? histogram.chosen(this.formatSpan(all.from, all.to), all.events, formatNumber(this.viewer, all.events)) : "";
    }
    const bar = this.bars[this.hovered ?? this.active ?? -1];
    return bar ? this.describeBar(bar) : "";
  }

  private summary(): string {
    const { histogram } = this.text.search;
    const most = highest(this.bars);
    return `${this.headline()}${most ? `, ${histogram.most(formatNumber(this.viewer, most.events), this.formatSpan(most.start, most.end))}` : ""}`;
  }

  private describeBar(bar: Bar): string {
    const { histogram } = this.text.search;
    const text = histogram.bucket(this.formatSpan(bar.start, bar.end), bar.events, formatNumber(this.viewer, bar.events));
    if (!bar.partial) return text;
    return `${text} ${bar.partial === "ends" && bar.to > this.viewer.asOf ? histogram.soFar : histogram.partial}`;
  }

  private describeInterval(interval: string): string {
    const { count, unit } = parseInterval(interval);
    return this.text.search.histogram.units[unit](count);
  }

  private formatSpan(from: string, to: string): string {
    const begin = Date.parse(from);
    const end = Date.parse(to);
    const whole = end - begin >= 23 * 3_600_000; // buckets of a day or more begin at midnight
    const format = new Intl.DateTimeFormat(localeOf(this.viewer), {
      timeZone: this.viewer.zone,
      dateStyle: "medium",
      ...(whole ? {} : { timeStyle: end - begin < 60_000 ? "medium" : "short" }),
    });
    return format.formatRange(begin, whole ? end - 1 : end);
  }

  private selection(): [number, number] | null {
    if (this.active === null) return null;
    const other = this.anchor ?? this.active;
    return [Math.min(this.active, other), Math.max(this.active, other)];
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    const last = this.bars.length - 1;
    const active = this.active ?? last;
    const to = { ArrowLeft: active - 1, ArrowRight: active + 1, Home: 0, End: last, PageUp: active - 10, PageDown: active + 10 }[event.key];
    if (to !== undefined) {
      this.anchor = event.shiftKey ? (this.anchor ?? active) : null;
      this.active = Math.min(Math.max(to, 0), last);
      this.hovered = null; // the keyboard takes over from a resting pointer
    } else if (event.key === "Enter" || event.key === " ") this.selectRange(...(this.selection() ?? [active, active]));
    else if (event.key === "Escape" && this.anchor !== null) this.anchor = null;
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  private readonly onBlur = (): void => {
    this.active = null;
    this.anchor = null;
  };

  private selectRange(first: number, last: number): void {
    const all = selectionOf(this.bars, first, last);
    if (all) void this.viewer.changeSearch(() => ({ range: { kind: "custom", from: all.from, to: all.to } }));
  }

  private readonly toggleFolded = (): void => {
    this.folded = !this.folded;
    if (this.folded) this.bars = [];
  };

  private closeChart(): void {
    this.chart?.close();
    this.chart = null;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-histogram": HistogramElement;
  }
}
