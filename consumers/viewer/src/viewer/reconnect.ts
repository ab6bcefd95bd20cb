/** Without a network, or a service: tries again by itself, when the browser says that it is back and now and then. */
import type { Log } from "./viewer-state.js";

const FIRST_MS = 2_000;
const LONGEST_MS = 30_000;

export class Connection {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wait = FIRST_MS;

  constructor(private readonly log: Log) {
    log.addEventListener("change", this.heard);
    window.addEventListener("online", this.probe);
  }

  close(): void {
    clearTimeout(this.timer);
    this.log.removeEventListener("change", this.heard);
    window.removeEventListener("online", this.probe);
  }

  private readonly heard = (): void => {
    if (this.log.offline) {
      this.timer ??= setTimeout(this.probe, this.wait);
    } else {
      clearTimeout(this.timer);
      this.timer = undefined;
      this.wait = FIRST_MS;
    }
  };

  private readonly probe = (): void => {
    if (!this.log.offline) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.wait = Math.min(2 * this.wait, LONGEST_MS);
    // Its end, good or bad, changes the log, which is heard above.
    if (this.log.phase === "failed") void this.log.read();
    else this.log.client.json("/v1/session").catch(() => {});
  };
}
