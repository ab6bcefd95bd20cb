/** Positions a panel in the top layer next to its anchor. */

const GAP = 4;
const WIDEST = 640;
const EDGE = 8; // distance to the window's edges

/**
 * Positions the panel below its anchor, or above it if there is more room. It is kept there until the returned function
 * is called.
 */
export function anchor(panel: HTMLElement, target: HTMLElement, { wide = false } = {}): () => void {
  const position = (): void => {
    const at = target.getBoundingClientRect();
    const width = document.documentElement.clientWidth;
    const height = window.innerHeight;
    const above = at.top - GAP - EDGE;
    const below = height - at.bottom - GAP - EDGE;
    if (wide) panel.style.width = `${Math.min(at.width, WIDEST)}px`;
    panel.style.maxHeight = "";
    const over = panel.offsetHeight > below && above > below;
    panel.style.maxHeight = `${Math.max(over ? above : below, 0)}px`;
    panel.style.top = over ? "auto" : `${at.bottom + GAP}px`;
    panel.style.bottom = over ? `${height - at.top + GAP}px` : "auto";
    panel.style.left = `${Math.max(EDGE, Math.min(at.left, width - EDGE - panel.offsetWidth))}px`;
  };
  position();
  const sizes = new ResizeObserver(position);
  sizes.observe(panel);
  sizes.observe(target);
  window.addEventListener("resize", position);
  // The anchor also moves when the page scrolls, and when content before it changes its size.
  let place = placeOf(target);
  let frame = requestAnimationFrame(function follow() {
    frame = requestAnimationFrame(follow);
    const now = placeOf(target);
    if (now !== place) position();
    place = now;
  });
  return () => {
    sizes.disconnect();
    cancelAnimationFrame(frame);
    window.removeEventListener("resize", position);
  };
}

function placeOf(element: Element): string {
  const { top, left } = element.getBoundingClientRect();
  return `${top} ${left}`;
}
