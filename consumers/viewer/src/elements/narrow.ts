/** Reports to elements whether they are as narrow as a phone, by the same rule as the container queries in their styles, or low. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

const NARROW_REM = 40;
const LOW_WINDOW_REM = 32;
const LOW_REM = 36;

/** Whether an element is so narrow that rows are shown as cards. */
export function isNarrow(element: Element): boolean {
  return isWithin(element.getBoundingClientRect().width, NARROW_REM);
}

/** Whether a viewer has so little height that everything but the log should be small, such as on phones in landscape. */
export function isLow(viewer: Element): boolean {
  return isWithin(viewer.getBoundingClientRect().height, LOW_REM) || matchMedia(`(max-height: ${LOW_WINDOW_REM}rem)`).matches;
}

function isWithin(px: number, rem: number): boolean {
  return px <= rem * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/** Updates its host whenever `narrow` or `low` changes. */
export class NarrowController implements ReactiveController {
  narrow = false;
  low = false;
  private readonly sizes = new ResizeObserver(() => this.measure());

  constructor(private readonly host: ReactiveControllerHost & Element) {
    host.addController(this);
  }

  hostConnected(): void {
    this.sizes.observe(this.host);
    this.narrow = isNarrow(this.host);
    this.low = isLow(this.host);
  }

  hostDisconnected(): void {
    this.sizes.disconnect();
  }

  private measure(): void {
    const narrow = isNarrow(this.host);
    const low = isLow(this.host);
    if (narrow === this.narrow && low === this.low) return;
    this.narrow = narrow;
    this.low = low;
    this.host.requestUpdate();
  }
}
