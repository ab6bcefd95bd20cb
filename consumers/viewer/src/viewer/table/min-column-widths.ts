/** Measures the widths below which a column would truncate its usual values, such as times and outcomes. */
import type { CellContext } from "./cells.js";

const PADDING_PX = 18; // padding of a cell, and rounding
const GAP_PX = 6; // between a time and its relative time
const BADGE_EM = 1.45; // the icon and the gap after it

/** Measures with the font of one element. The result is kept until the font, the language or the zone changes. */
export class MinColumnWidths {
  private canvas: CanvasRenderingContext2D | null = null;
  private key = "";
  private widths: Readonly<Record<string, number>> = {};

  constructor(private readonly element: HTMLElement) {}

  /** Returns widths in px by field name or by type; a name takes precedence. */
  measure({ text, clock, relativeTimes }: CellContext): Readonly<Record<string, number>> {
    const { fontFamily, fontSize } = getComputedStyle(this.element);
    const key = JSON.stringify([fontFamily, fontSize, clock.language, clock.zone, text.reading.yes, relativeTimes]);
    if (key === this.key) return this.widths;
    const badge = BADGE_EM * Number.parseFloat(fontSize);
    const widest = (texts: readonly string[], weight: number): number => this.widest(texts, `${weight} ${fontSize} ${fontFamily}`);
    const width = (texts: readonly string[]): number => widest(texts, 400);
    const { brief, exact } = clock.longest();
    const time = relativeTimes ? Math.max(width(exact), width(brief) + GAP_PX + width(clock.longestRelative())) : width(exact);
    this.key = key;
    this.widths = {
      Timestamp: time + PADDING_PX,
      outcome: width(Object.values(text.reading.outcome)) + badge + PADDING_PX,
      Severity: widest(Object.values(text.reading.severity), 600) + badge + PADDING_PX,
    };
    return this.widths;
  }

  private widest(texts: readonly string[], font: string): number {
    this.canvas ??= document.createElement("canvas").getContext("2d");
    const { canvas } = this;
    if (!canvas) return 0;
    canvas.font = font;
    return Math.ceil(Math.max(...texts.map((text) => canvas.measureText(text).width)));
  }
}
