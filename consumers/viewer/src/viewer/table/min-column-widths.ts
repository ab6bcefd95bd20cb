/** What columns need at least, so that what they always say is never cut: measured as this element writes it. */
import type { CellContext } from "./cells.js";

const PADDING_PX = 18; // px: a cell's padding, and a hair
const BADGE_EM = 1.45; // a shape and the gap after it

let canvas: CanvasRenderingContext2D | null = null;
let known: { about: string; widths: Record<string, number> } = { about: "", widths: {} };

/** In px, by a field's name or else by its type. */
export function minColumnWidths(element: HTMLElement, { text, clock }: CellContext): Record<string, number> {
  const { fontFamily, fontSize } = getComputedStyle(element);
  const about = JSON.stringify([fontFamily, fontSize, clock.language, clock.zone, text.reading.yes]);
  if (about === known.about) return known.widths;
  const mark = BADGE_EM * Number.parseFloat(fontSize);
  const widest = (texts: readonly string[], weight: number): number => {
    canvas ??= document.createElement("canvas").getContext("2d");
    if (!canvas) return 0;
    canvas.font = `${weight} ${fontSize} ${fontFamily}`;
    return Math.ceil(Math.max(...texts.map((one) => canvas?.measureText(one).width ?? 0)));
  };
  const widths = {
    Timestamp: widest(clock.longest(), 400) + PADDING_PX,
    outcome: widest(Object.values(text.reading.outcome), 400) + mark + PADDING_PX,
    Severity: widest(Object.values(text.reading.severity), 600) + mark + PADDING_PX,
  };
  known = { about, widths };
  return widths;
}
