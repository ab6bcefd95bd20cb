/** Positions a panel in the top layer next to its anchor. */

const GAP = 4;
const WIDEST = 640;
const EDGE = 8; // distance to the window's edges

/**
 * Positions the panel below its anchor, or above it if there is more room, and keeps it there until the returned
 * function is called.
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
  window.addEventListener("scroll", position, { capture: true, passive: true });
  window.addEventListener("resize", position);
  return () => {
    sizes.disconnect();
    window.removeEventListener("scroll", position, { capture: true });
    window.removeEventListener("resize", position);
  };
}
