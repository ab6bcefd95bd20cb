/** A request that a part shows the answer of: asked again when what it is about changes, and only the last one counts. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

import { Problem } from "../api/problem.js";

interface RequestTiming {
  afterMs?: number;
  /** Another one asks the same again: what was answered is still about this. */
  revision?: unknown;
}

/** Gives up what is under way when something else is wanted, and when its host leaves the page. */
export class RequestController<T> implements ReactiveController {
  /** The last good answer; stays, as old, while another is awaited, and when the same could not be had again. */
  result: T | null = null;
  /** Why the last one was not answered. */
  problem: Problem | null = null;
  pending = false;

  private key: string | null = null;
  private resultKey: string | null = null;
  private revision: unknown;
  private running: AbortController | null = null;

  /** `told` hears how each request ended, null when it was well or nobody waits for it any more. */
  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly onResult: (problem: Problem | null) => void = () => {},
  ) {
    host.addController(this);
  }

  /** The answer that is there is about something else than what is asked. */
  get outdated(): boolean {
    return this.resultKey !== this.key;
  }

  /** Ask, unless the same was asked already. `about` is all that the answer depends on. */
  request(key: string, ask: (signal: AbortSignal) => Promise<T>, { afterMs = 0, revision }: RequestTiming = {}): void {
    if (key === this.key && revision === this.revision) return;
    [this.key, this.revision] = [key, revision];
    this.running?.abort();
    const controller = new AbortController();
    this.running = controller;
    this.pending = true;
    void (async () => {
      if (afterMs) await new Promise((resolve) => setTimeout(resolve, afterMs));
      if (controller.signal.aborted) return;
      try {
        const result = await ask(controller.signal);
        if (controller.signal.aborted) return;
        [this.result, this.resultKey, this.problem] = [result, key, null];
      } catch (cause) {
        if (controller.signal.aborted) return;
        this.problem = Problem.from(cause);
        if (this.outdated) this.result = null;
      }
      this.pending = false;
      this.onResult(this.problem);
      this.host.requestUpdate();
    })();
    this.host.requestUpdate();
  }

  /** Ask the same again the next time that it is wanted. */
  invalidate(): void {
    this.revision = NEVER;
    this.host.requestUpdate();
  }

  /** Stop, and keep nothing. */
  reset(): void {
    this.running?.abort();
    [this.key, this.resultKey, this.result, this.problem, this.pending] = [null, null, null, null, false];
    this.onResult(null);
  }

  hostDisconnected(): void {
    this.running?.abort();
    this.revision = NEVER;
    this.pending = false;
    this.onResult(null);
  }
}

const NEVER = Symbol("no turn is like this one");
