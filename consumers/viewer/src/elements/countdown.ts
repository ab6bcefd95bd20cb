/** Counts down seconds and updates its host every second. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

export class Countdown implements ReactiveController {
  /** The number of whole seconds left, or 0 if no countdown is running. */
  left = 0;

  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly onEnd: () => void,
  ) {
    host.addController(this);
  }

  start(seconds: number): void {
    this.stop();
    this.left = Math.ceil(seconds);
    if (this.left > 0) this.timer = setInterval(() => this.tick(), 1_000);
  }

  stop(): void {
    clearInterval(this.timer);
    this.left = 0;
  }

  hostDisconnected(): void {
    this.stop();
  }

  private tick(): void {
    this.left -= 1;
    this.host.requestUpdate();
    if (this.left > 0) return;
    this.stop();
    this.onEnd();
  }
}
