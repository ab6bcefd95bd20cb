/** Keeps a panel of the top layer beside what it belongs to. */

const GAP = 4;
const WIDEST = 640;
const EDGE = 8; // stays within the window by that much

/** Places the panel under its anchor, over it where there is more room, and again when something moves; returns the end of that. */
export function anchor(panel: HTMLElement, target: HTMLElement, { wide = false } = {}): () => void {
  const place = (): void => {
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
  place();
  const sizes = new ResizeObserver(place);
  sizes.observe(panel);
  sizes.observe(target);
  window.addEventListener("scroll", place, { capture: true, passive: true });
  window.addEventListener("resize", place);
  return () => {
    sizes.disconnect();
    window.removeEventListener("scroll", place, { capture: true });
    window.removeEventListener("resize", place);
  };
}
