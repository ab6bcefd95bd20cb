/** Probes the service while it is unreachable: when the browser is online again, and at increasing intervals. */
import type { ViewerState } from "./viewer-state.js";

const FIRST_MS = 2_000;
const LONGEST_MS = 30_000;

export class Reconnect {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wait = FIRST_MS;

  constructor(private readonly viewer: ViewerState) {
    viewer.addEventListener("change", this.onChange);
    window.addEventListener("online", this.probe);
  }

  close(): void {
    clearTimeout(this.timer);
    this.viewer.removeEventListener("change", this.onChange);
    window.removeEventListener("online", this.probe);
  }

  private readonly onChange = (): void => {
    if (this.viewer.offline) {
      this.timer ??= setTimeout(this.probe, this.wait);
    } else {
      clearTimeout(this.timer);
      this.timer = undefined;
      this.wait = FIRST_MS;
    }
  };

  private readonly probe = (): void => {
    if (!this.viewer.offline) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.wait = Math.min(2 * this.wait, LONGEST_MS);
    // Its result changes the viewer's state, which calls onChange.
    if (this.viewer.phase === "failed") void this.viewer.reload();
    else this.viewer.client.json("/v1/session").catch(() => {});
  };
}
