/** What columns need at least, so that what they always say is never cut: measured as this element writes it. */
import type { Reading } from "./cells.js";

const AROUND = 18; // px: a cell's padding, and a hair
const MARK_EM = 1.45; // a shape and the gap after it

let canvas: CanvasRenderingContext2D | null = null;
let known: { about: string; widths: Record<string, number> } = { about: "", widths: {} };

/** In px, by a field's name or else by its type. */
export function neededIn(element: HTMLElement, { text, clock }: Reading): Record<string, number> {
  const { fontFamily, fontSize } = getComputedStyle(element);
  const about = JSON.stringify([fontFamily, fontSize, clock.language, clock.zone, text.reading.yes]);
  if (about === known.about) return known.widths;
  const mark = MARK_EM * Number.parseFloat(fontSize);
  const widest = (texts: readonly string[], weight: number): number => {
    canvas ??= document.createElement("canvas").getContext("2d");
    if (!canvas) return 0;
    canvas.font = `${weight} ${fontSize} ${fontFamily}`;
    return Math.ceil(Math.max(...texts.map((one) => canvas?.measureText(one).width ?? 0)));
  };
  const widths = {
    Timestamp: widest(clock.longest(), 400) + AROUND,
    outcome: widest(Object.values(text.reading.outcome), 400) + mark + AROUND,
    Severity: widest(Object.values(text.reading.severity), 600) + mark + AROUND,
  };
  known = { about, widths };
  return widths;
}
