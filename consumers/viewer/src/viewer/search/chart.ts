/** The drawn bars of the histogram. Loaded when there is something to draw. */
import uPlot from "uplot";
import sheetText from "uplot/dist/uPlot.min.css?inline";

import { axisRange, type Bar, barAt, highest, tickSteps } from "../../model/bars.js";

export interface Drawn {
  readonly bars: readonly Bar[];
  readonly zone: string;
  readonly locale: string;
  /** From the first bar chosen to the last, or none. */
  readonly chosen: readonly [number, number] | null;
}

export interface Chosen {
  /** The pointer is over this bar; null when it left. */
  over(bar: number | null): void;
  /** These bars were dragged over, or one was clicked. */
  take(first: number, last: number): void;
}

const HEIGHT = 76;
const AXIS = 20;
const SEEN = 0.04; // of the highest: what is there is to be seen
const LABEL_PX = 60;
const LEAST_PX = 4; // a press that moved less is a click

/** Draws into `place`, whose custom properties colour it. */
export class Chart {
  private readonly plot: uPlot;
  private readonly sizes: ResizeObserver;
  private drawn: Drawn;
  /** Where it is, in px from the left; below 0 when it is elsewhere. */
  private pointer = -1;

  constructor(
    private readonly place: HTMLElement,
    drawn: Drawn,
    private readonly told: Chosen,
  ) {
    adopt(place.getRootNode() as ShadowRoot);
    this.drawn = drawn;
    this.plot = new uPlot(this.options(), this.data(), place);
    this.plot.over.addEventListener("mouseleave", () => told.over(null));
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(place);
    this.mark();
  }

  show(drawn: Drawn): void {
    const before = this.drawn;
    this.drawn = drawn;
    const same = before.bars === drawn.bars && before.zone === drawn.zone && before.locale === drawn.locale;
    if (!same) this.plot.setData(this.data());
    if (String(before.chosen) !== String(drawn.chosen)) this.mark(); // else what is being dragged stays
  }

  /** The colours are others now. */
  recolour(): void {
    this.plot.redraw(true, true); // what a path is filled with is kept with it
  }

  close(): void {
    this.sizes.disconnect();
    this.plot.destroy();
  }

  private data(): uPlot.AlignedData {
    const { bars } = this.drawn;
    const least = (highest(bars)?.events ?? 0) * SEEN;
    const height = (bar: Bar): number => (bar.events ? Math.max(bar.events, least) : 0);
    const whole = bars.map((bar) => (bar.partial ? null : height(bar)));
    const partial = bars.map((bar) => (bar.partial ? height(bar) : null));
    return [bars.map((bar) => bar.from / 1000), whole, partial];
  }

  private options(): uPlot.Options {
    const paths = uPlot.paths.bars?.({ align: 1, size: [1, Infinity, 1], gap: 1.5 }) as uPlot.Series.PathBuilder;
    const series = (fill: string): uPlot.Series => ({
      paths,
      points: { show: false },
      width: 0,
      fill: () => this.colour(fill),
    });
    return {
      width: Math.max(this.place.clientWidth, 1),
      height: HEIGHT,
      padding: [4, 0, 0, 0],
      legend: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), this.drawn.zone),
      scales: {
        x: { time: true, range: () => this.ends() },
        y: { range: (_plot, _min, max) => [0, Math.max(max ?? 0, 1)] },
      },
      series: [{}, series("--accent"), series("--partial")],
      axes: [
        {
          size: AXIS,
          space: 90,
          incrs: () => tickSteps(this.drawn.bars),
          stroke: () => this.colour("--ink-2"),
          font: `11px ${getComputedStyle(this.place).fontFamily}`,
          grid: { show: false },
          ticks: { show: true, size: 4, width: 1, stroke: () => this.colour("--line") },
          border: { show: true, width: 1, stroke: () => this.colour("--line") },
          values: (_plot, splits) => this.labels(splits),
        },
        { show: false },
      ],
      cursor: { y: false, points: { show: false }, drag: { x: true, y: false, setScale: false, dist: LEAST_PX } },
      hooks: {
        setCursor: [(plot) => this.pointed(plot.cursor.left ?? -1)],
        setSelect: [(plot) => this.dragged(plot)],
        ready: [(plot) => plot.over.addEventListener("click", () => this.clicked(plot))],
      },
    };
  }

  private ends(): [number, number] {
    const [begin, end] = axisRange(this.drawn.bars);
    return [begin / 1000, end / 1000];
  }

  private at(left: number): number {
    return barAt(this.drawn.bars, this.plot.posToVal(left, "x") * 1000);
  }

  /** uPlot tells it with every drawing; only the pointer's own moves count. */
  private pointed(left: number): void {
    if (left === this.pointer) return;
    this.pointer = left;
    this.told.over(left >= 0 ? this.at(left) : null);
  }

  private dragged(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < LEAST_PX) return;
    this.told.take(this.at(left), this.at(left + width - 1));
    this.mark();
  }

  /** uPlot keeps the click that ends a drag to itself. */
  private clicked(plot: uPlot): void {
    const bar = this.at(plot.cursor.left ?? 0);
    this.told.take(bar, bar);
  }

  /** Shows what is chosen by keys as what is dragged is shown. */
  private mark(): void {
    const { chosen, bars } = this.drawn;
    const [first, last] = chosen ? [bars[chosen[0]], bars[chosen[1]]] : [];
    const left = first ? this.plot.valToPos(first.from / 1000, "x") : 0;
    const right = last ? this.plot.valToPos(last.to / 1000, "x") : 0;
    this.plot.setSelect({ left, width: right - left, top: 0, height: this.plot.over.clientHeight }, false);
  }

  private resize(): void {
    const width = this.place.clientWidth;
    if (width && width !== this.plot.width) this.plot.setSize({ width, height: HEIGHT });
    this.mark();
  }

  /** A label a tick: the day where it changes, the time within a day. */
  private labels(splits: number[]): string[] {
    const { zone: timeZone, locale } = this.drawn;
    const step = (splits[1] ?? 0) - (splits[0] ?? 0);
    const day = new Intl.DateTimeFormat(locale, { timeZone, day: "numeric", month: "short" });
    const month = new Intl.DateTimeFormat(locale, { timeZone, month: "short", year: "numeric" });
    const year = new Intl.DateTimeFormat(locale, { timeZone, year: "numeric" });
    const time = new Intl.DateTimeFormat(locale, {
      timeZone,
      hour: "2-digit",
      minute: "2-digit",
      ...(step < 60 ? ({ second: "2-digit" } as const) : {}),
    });
    const [begin, end] = this.ends();
    const width = this.place.clientWidth;
    let before = "";
    return splits.map((split) => {
      const left = ((split - begin) / (end - begin)) * width;
      if (left < LABEL_PX / 2 || left > width - LABEL_PX / 2) return ""; // it would be cut off
      const moment = split * 1000;
      if (step >= 300 * 86_400) return year.format(moment);
      if (step >= 27 * 86_400) return month.format(moment);
      const today = day.format(moment);
      if (step >= 86_400) return today;
      const shown = today === before || before === "" ? time.format(moment) : today;
      before = today;
      return shown;
    });
  }

  /** A custom property's colour as a canvas understands it: `light-dark()` and the like are resolved by the browser. */
  private colour(property: string): string {
    const probe = this.place.querySelector<HTMLElement>(".probe") ?? this.place.appendChild(document.createElement("i"));
    probe.className = "probe";
    probe.style.color = `var(${property})`;
    return getComputedStyle(probe).color;
  }
}

let sheet: CSSStyleSheet | null = null;

function adopt(root: ShadowRoot): void {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(sheetText);
  }
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
}
