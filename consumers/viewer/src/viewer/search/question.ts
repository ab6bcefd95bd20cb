/** A request that a part shows the answer of: asked again when what it is about changes, and only the last one counts. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

import { Problem } from "../../api/problem.js";

/** Gives up what is under way when something else is wanted, and when its host leaves the page. */
export class Question<T> implements ReactiveController {
  /** The last good answer; stays, as old, while another is awaited. */
  answer: T | null = null;
  problem: Problem | null = null;
  pending = false;

  private about: string | null = null;
  private under: AbortController | null = null;

  constructor(private readonly host: ReactiveControllerHost) {
    host.addController(this);
  }

  /** Ask, unless the same was asked already. `about` is all that the answer depends on. */
  want(about: string, ask: (signal: AbortSignal) => Promise<T>, { afterMs = 0 } = {}): void {
    if (about === this.about) return;
    this.about = about;
    this.under?.abort();
    const own = new AbortController();
    this.under = own;
    this.pending = true;
    void (async () => {
      if (afterMs) await new Promise((resolve) => setTimeout(resolve, afterMs));
      if (own.signal.aborted) return;
      try {
        const answer = await ask(own.signal);
        if (own.signal.aborted) return;
        [this.answer, this.problem] = [answer, null];
      } catch (cause) {
        if (own.signal.aborted) return;
        this.problem = Problem.of(cause);
      }
      this.pending = false;
      this.host.requestUpdate();
    })();
    this.host.requestUpdate();
  }

  /** Ask the same again the next time that it is wanted. */
  forget(): void {
    this.about = null;
    this.host.requestUpdate();
  }

  /** Stop, and keep nothing. */
  drop(): void {
    this.under?.abort();
    [this.about, this.answer, this.problem, this.pending] = [null, null, null, false];
  }

  hostDisconnected(): void {
    this.under?.abort();
    this.about = null;
    this.pending = false;
  }
}
