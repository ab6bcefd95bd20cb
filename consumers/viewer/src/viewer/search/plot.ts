/** Shows bars over time, for pointer and keyboard. Shared by the histogram and the groups. */
import { html, nothing, type ReactiveController, type TemplateResult } from "lit";

import { type Bar, highest, indexAfterRecount, isSameAxis, selectionOf } from "../../model/bars.js";
import { formatNumber, localeOf } from "../describe.js";
import type { ViewerElement } from "../viewer-element.js";
import type { ViewerState } from "../viewer-state.js";
import type { Chart, Layer } from "./chart.js";

export interface PlotOptions {
  viewer(): ViewerState;
  /** Returns the accessible name. */
  label(): string;
  /** Returns details about the bar at an index, in addition to its time and its number. */
  detail?(index: number): string;
}

export class Plot implements ReactiveController {
  bars: readonly Bar[] = [];
  private layers: readonly Layer[] | null = null;
  private hovered: number | null = null;
  private active: number | null = null;
  /** The bar at which a keyboard selection began. */
  private anchor: number | null = null;
  private chart: Chart | null = null;
  private chartLoading = false;
  private readonly darkMode = matchMedia("(prefers-color-scheme: dark)");
  private readonly themeObserver = new MutationObserver(() => this.chart?.recolour());
  private readonly recolour = (): void => this.chart?.recolour();

  constructor(
    private readonly host: ViewerElement,
    private readonly options: PlotOptions,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.darkMode.addEventListener("change", this.recolour);
    for (let root = this.host.getRootNode(); root instanceof ShadowRoot; root = root.host.getRootNode()) {
      this.themeObserver.observe(root.host, { attributeFilter: ["theme", "style", "class"] });
    }
  }

  hostDisconnected(): void {
    this.darkMode.removeEventListener("change", this.recolour);
    this.themeObserver.disconnect();
    this.closeChart();
  }

  /** Shows these bars from the next rendering on. Selected bars that still exist remain selected. */
  setBars(bars: readonly Bar[], layers: readonly Layer[] | null = null): void {
    const indexOf = (index: number | null): number | null => indexAfterRecount(this.bars, bars, index);
    this.active = indexOf(this.active);
    this.anchor = indexOf(this.anchor);
    if (!isSameAxis(this.bars, bars)) this.hovered = null; // until the pointer moves
    if (layers?.length !== this.layers?.length) this.closeChart();
    this.bars = bars;
    this.layers = layers;
  }

  hostUpdated(): void {
    const container = this.host.renderRoot.querySelector<HTMLElement>(".plot");
    if (!this.bars.length || !container) return this.closeChart();
    if (this.chart) return this.chart.show(this.drawn());
    if (this.chartLoading) return;
    this.chartLoading = true;
    const loaded = this.viewer.lazyImports.load(() => import("./chart.js")); // after a failure, the next update tries again
    void loaded.then((found) => {
      this.chartLoading = false;
      const plot = this.host.renderRoot.querySelector<HTMLElement>(".plot");
      if (!found || !plot || !this.bars.length || !this.host.isConnected) return;
      const onHover = (bar: number | null): void => this.change(() => (this.hovered = bar));
      this.chart = new found.Chart(plot, this.drawn(), { onHover, onSelect: (first, last) => this.selectRange(first, last) });
      this.host.requestUpdate();
    });
  }

  render(): TemplateResult {
    const { histogram } = this.viewer.text.search;
    const span = this.selection();
    return html`<div class="frame">
      <div class="plot" aria-hidden="true"></div>
      <div
        class="keys"
        role="listbox"
        tabindex="0"
        aria-orientation="horizontal"
        aria-multiselectable="true"
        aria-label=${this.options.label()}
        aria-describedby="hint"
        aria-activedescendant=${this.active === null ? nothing : `bar${this.active}`}
        @keydown=${this.onKeydown}
        @focus=${() => this.change(() => (this.active ??= this.bars.length - 1))}
        @blur=${this.onBlur}
      >
        ${this.bars.map(
          (_, index) => html`<span
            role="option"
            id=${`bar${index}`}
            aria-selected=${span !== null && index >= span[0] && index <= span[1]}
            >${this.describeBar(index)}</span
          >`,
        )}
      </div>
      <span id="hint" class="unseen">${histogram.hint}</span>
    </div>`;
  }

  /** Describes the hovered or active bar, or the bars selected by keyboard. Returns "" if there are none. */
  readout(): string {
    const { histogram } = this.viewer.text.search;
    const span = this.selection();
    if (span && span[0] !== span[1]) {
      const all = selectionOf(this.bars, ...span);
      return all ? histogram.chosen(this.formatSpan(all.from, all.to), all.events, formatNumber(this.viewer, all.events)) : "";
    }
    const index = this.hovered ?? this.active ?? -1;
    return this.bars[index] ? this.describeBar(index) : "";
  }

  /** Describes the highest bar. Returns "" if there are no bars. */
  peak(): string {
    const most = highest(this.bars);
    if (!most) return "";
    return this.viewer.text.search.histogram.most(formatNumber(this.viewer, most.events), this.formatSpan(most.start, most.end));
  }

  private get viewer(): ViewerState {
    return this.options.viewer();
  }

  private drawn(): ConstructorParameters<typeof Chart>[1] {
    const { viewer } = this;
    return { bars: this.bars, layers: this.layers, zone: viewer.zone, locale: localeOf(viewer), selection: this.selection() };
  }

  private describeBar(index: number): string {
    const { histogram } = this.viewer.text.search;
    const bar = this.bars[index] as Bar;
    const detail = this.options.detail?.(index) ?? "";
    const count = histogram.bucket(this.formatSpan(bar.start, bar.end), bar.events, formatNumber(this.viewer, bar.events));
    const text = detail ? `${count} (${detail})` : count;
    if (!bar.partial) return text;
    return `${text} ${bar.partial === "ends" && bar.to > this.viewer.asOf ? histogram.soFar : histogram.partial}`;
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
      this.hovered = null; // the keyboard takes over from a pointer at rest
    } else if (event.key === "Enter" || event.key === " ") this.selectRange(...(this.selection() ?? [active, active]));
    else if (event.key === "Escape" && this.anchor !== null) this.anchor = null;
    else return;
    this.host.requestUpdate();
    event.preventDefault();
    event.stopPropagation();
  };

  private readonly onBlur = (): void => {
    this.change(() => {
      this.active = null;
      this.anchor = null;
    });
  };

  private selectRange(first: number, last: number): void {
    const all = selectionOf(this.bars, first, last);
    if (all) void this.viewer.changeSearch(() => ({ range: { kind: "custom", from: all.from, to: all.to } }));
  }

  private change(change: () => void): void {
    change();
    this.host.requestUpdate();
  }

  private closeChart(): void {
    this.chart?.close();
    this.chart = null;
  }
}
