/** The numbers and the chart follow what arrives: not with every event, but now and then, and only while they are seen. */
export const DELAY_MS = 10_000;

export class CountRefresh {
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** `count` asks for the numbers again. */
  constructor(private readonly onDue: () => void) {}

  /** Something has arrived: it is counted within the next ten seconds, however much there is. */
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
