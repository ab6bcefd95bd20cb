/** Draws bars over time, plain or in layers. Loaded when there is something to draw. */
import uPlot from "uplot";
import sheetText from "uplot/dist/uPlot.min.css?inline";

import { axisLabels } from "../../model/axis-labels.js";
import { axisRange, type Bar, barAt, highest, tickSteps } from "../../model/bars.js";

/** A part of every bar. */
export interface Layer {
  /** A CSS colour, which may use custom properties. */
  readonly fill: string;
  /** The layer's share of each bar's events. */
  readonly counts: readonly number[];
}

export interface ChartData {
  readonly bars: readonly Bar[];
  /** The bars' layers from the bottom; null for plain bars. Their number does not change. */
  readonly layers: readonly Layer[] | null;
  readonly zone: string;
  readonly locale: string;
  /** The first and the last selected bar, or null. */
  readonly selection: readonly [number, number] | null;
}

export interface ChartEvents {
  /** Called with the bar under the pointer, or null when the pointer leaves. */
  onHover(bar: number | null): void;
  /** Called with the bars selected by dragging, or the bar selected by a click. */
  onSelect(first: number, last: number): void;
}

const TICK = 4;
const GAP = 2;
const FONT = 11;
const AXIS = TICK + GAP + FONT;
const MIN_HEIGHT_SHARE = 0.04; // minimum height relative to the highest bar, so that small bars stay visible
const DIGIT_PX = 7;
const DRAG_PX = 4; // a shorter drag is a click

/** Fills `container`, with the colours of its custom properties. */
export class Chart {
  private readonly plot: uPlot;
  private readonly sizes: ResizeObserver;
  private shown: ChartData;
  /** The pointer's position in px from the left; negative if it is elsewhere. */
  private pointer = -1;

  constructor(
    private readonly container: HTMLElement,
    shown: ChartData,
    private readonly events: ChartEvents,
  ) {
    adoptSheet(container.getRootNode() as ShadowRoot);
    this.shown = shown;
    this.plot = new uPlot(this.options(), this.data(), container);
    this.plot.over.addEventListener("mouseleave", () => events.onHover(null));
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(container);
    this.showSelection();
  }

  show(shown: ChartData): void {
    const before = this.shown;
    this.shown = shown;
    const same = before.bars === shown.bars && before.zone === shown.zone && before.locale === shown.locale;
    if (!same || before.layers !== shown.layers) this.plot.setData(this.data());
    if (String(before.layers?.map(({ fill }) => fill)) !== String(shown.layers?.map(({ fill }) => fill))) this.recolour();
    if (String(before.selection) !== String(shown.selection)) this.showSelection(); // otherwise, the current drag is kept
  }

  /** Redraws after the colours have changed. */
  recolour(): void {
    this.plot.redraw(true, true); // rebuilds the paths, which keep their fill
  }

  close(): void {
    this.sizes.disconnect();
    this.plot.destroy();
  }

  private data(): uPlot.AlignedData {
    const { bars, layers } = this.shown;
    if (layers) return [bars.map((bar) => bar.from / 1000), ...stacked(layers)];
    const least = (highest(bars)?.events ?? 0) * MIN_HEIGHT_SHARE;
    const height = (bar: Bar): number => (bar.events ? Math.max(bar.events, least) : 0);
    const whole = bars.map((bar) => (bar.partial ? null : height(bar)));
    const partial = bars.map((bar) => (bar.partial ? height(bar) : null));
    return [bars.map((bar) => bar.from / 1000), whole, partial];
  }

  private options(): uPlot.Options {
    const paths = uPlot.paths.bars?.({ align: 1, size: [1, Infinity, 1], gap: 1.5 }) as uPlot.Series.PathBuilder;
    const series = (fill: () => string): uPlot.Series => ({
      paths,
      points: { show: false },
      width: 0,
      fill: () => this.colour(fill()),
    });
    const { layers } = this.shown;
    const fills = layers
      ? layers.map((_, index) => () => (this.shown.layers ?? layers)[layers.length - 1 - index]?.fill ?? "")
      : [() => "var(--accent)", () => "var(--partial)"];
    return {
      width: Math.max(this.container.clientWidth, 1),
      height: this.container.clientHeight,
      padding: [7, 0, 0, 0],
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), this.shown.zone),
      scales: {
        x: { time: true, range: () => this.axisEnds() },
        y: { range: (_plot, _min, max) => [0, Math.max(max ?? 0, 1)] },
      },
      series: [{}, ...fills.map(series)],
      axes: [
        {
          size: AXIS,
          gap: GAP,
          space: 90,
          incrs: () => tickSteps(this.shown.bars),
          stroke: () => this.colour("var(--ink-2)"),
          font: `${FONT}px ${getComputedStyle(this.container).fontFamily}`,
          grid: { show: false },
          ticks: { show: true, size: TICK, width: 1, stroke: () => this.colour("var(--line)") },
          border: { show: true, width: 1, stroke: () => this.colour("var(--line)") },
          values: (plot, splits) => this.labels(plot, splits),
        },
        {
          size: (_plot, values) => DIGIT_PX * Math.max(...(values ?? []).map((value) => value.length)) + 10,
          gap: 4,
          splits: (_plot, _axis, _min, max) => [0, max],
          stroke: () => this.colour("var(--ink-2)"),
          font: `${FONT}px ${getComputedStyle(this.container).fontFamily}`,
          grid: { show: false },
          ticks: { show: false },
          values: (_plot, splits) => splits.map((split) => this.formatCount(split)),
        },
      ],
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false, dist: DRAG_PX } },
      hooks: {
        setCursor: [(plot) => this.onPointer(plot.cursor.left ?? -1)],
        setSelect: [(plot) => this.onDrag(plot)],
        ready: [(plot) => plot.over.addEventListener("click", () => this.onClick(plot))],
      },
    };
  }

  private axisEnds(): [number, number] {
    const [begin, end] = axisRange(this.shown.bars);
    return [begin / 1000, end / 1000];
  }

  private labels(plot: uPlot, splits: readonly number[]): string[] {
    const ends = this.axisEnds();
    const width = plot.valToPos(ends[1], "x"); // uPlot asks for labels before its elements have their size
    return axisLabels(splits, ends, width, this.shown.zone, this.shown.locale);
  }

  private barAtPixel(left: number): number {
    return barAt(this.shown.bars, this.plot.posToVal(left, "x") * 1000);
  }

  /** Ignores the calls that uPlot makes on every redraw although the pointer has not moved. */
  private onPointer(left: number): void {
    if (left === this.pointer) return;
    this.pointer = left;
    this.events.onHover(left >= 0 ? this.barAtPixel(left) : null);
  }

  private onDrag(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < DRAG_PX) return;
    this.events.onSelect(this.barAtPixel(left), this.barAtPixel(left + width - 1));
    this.showSelection();
  }

  /** Selects one bar. uPlot does not forward the click that ends a drag. */
  private onClick(plot: uPlot): void {
    const bar = this.barAtPixel(plot.cursor.left ?? 0);
    this.events.onSelect(bar, bar);
  }

  /** Shows a keyboard selection like one made by dragging. */
  private showSelection(): void {
    const { selection, bars } = this.shown;
    const [first, last] = selection ? [bars[selection[0]], bars[selection[1]]] : [];
    const left = first ? this.plot.valToPos(first.from / 1000, "x") : 0;
    const right = last ? this.plot.valToPos(last.to / 1000, "x") : 0;
    this.plot.setSelect({ left, width: right - left, top: 0, height: this.plot.over.clientHeight }, false);
  }

  private resize(): void {
    const width = this.container.clientWidth;
    if (width && width !== this.plot.width) this.plot.setSize({ width, height: this.container.clientHeight });
    this.showSelection();
  }

  private formatCount(count: number): string {
    return new Intl.NumberFormat(this.shown.locale, { notation: "compact", maximumFractionDigits: 1 }).format(count);
  }

  /** Resolves a CSS colour, which may use custom properties and `light-dark()`, to one for the canvas. */
  private colour(value: string): string {
    const probe = this.container.querySelector<HTMLElement>(".probe") ?? this.container.appendChild(document.createElement("i"));
    probe.className = "probe";
    probe.style.color = value;
    return getComputedStyle(probe).color;
  }
}

/** Returns the sums of the layers up to each one, from the highest down, since each is drawn over the previous one. */
function stacked(layers: readonly Layer[]): (number | null)[][] {
  let below: readonly number[] = [];
  const sums = layers.map(({ counts }) => {
    const sum = counts.map((count, index) => count + (below[index] ?? 0));
    below = sum;
    return sum.map((total, index) => (counts[index] ? total : null));
  });
  return sums.reverse();
}

let sheet: CSSStyleSheet | null = null;

function adoptSheet(root: ShadowRoot): void {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(sheetText);
  }
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}
