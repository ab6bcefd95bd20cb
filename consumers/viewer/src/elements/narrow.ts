/** Reports to elements that they are as narrow as a phone, by the same rule as their styles' container queries. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

const NARROW_REM = 40;
const LOW_REM = 32;

/** Whether an element is at most as wide as the limit below which rows are cards. */
export function isNarrow(element: Element): boolean {
  return element.getBoundingClientRect().width <= NARROW_REM * Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/** Whether the window is so low that everything but the log should be small: on phones in landscape, or at high zoom. */
export function isLow(): boolean {
  return matchMedia(`(max-height: ${LOW_REM}rem)`).matches;
}

/** Updates its host whenever `narrow` changes. */
export class NarrowController implements ReactiveController {
  narrow = false;
  private readonly sizes = new ResizeObserver(() => this.measure());

  constructor(private readonly host: ReactiveControllerHost & Element) {
    host.addController(this);
  }

  hostConnected(): void {
    this.sizes.observe(this.host);
    this.narrow = isNarrow(this.host);
  }

  hostDisconnected(): void {
    this.sizes.disconnect();
  }

  private measure(): void {
    const narrow = isNarrow(this.host);
    if (narrow === this.narrow) return;
    this.narrow = narrow;
    this.host.requestUpdate();
  }
}
