/** Refreshes the numbers and the chart after events have arrived. Refreshes are throttled, and happen only while the page is visible. */
export const DELAY_MS = 10_000;

export class CountRefresh {
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** `onDue` requests the numbers again. */
  constructor(private readonly onDue: () => void) {}

  /** Schedules a refresh within ten seconds, no matter how many events arrive. */
  schedule(): void {
    this.timer ??= setTimeout(this.due, DELAY_MS);
  }

  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    document.removeEventListener("visibilitychange", this.due);
  }

  private readonly due = (): void => {
    if (document.hidden) return document.addEventListener("visibilitychange", this.due);
    this.close();
    this.onDue();
  };
}
