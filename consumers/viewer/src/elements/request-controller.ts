import type { ReactiveController, ReactiveControllerHost } from "lit";

import { Problem } from "../api/problem.js";

interface RequestTiming {
  /** Delays sending, so that a newer request can replace this one. */
  debounceMs?: number;
  /** If the revision has changed, the request is repeated even if its key is the same. */
  revision?: unknown;
}

const NEVER = Symbol("unlike any revision");

/**
 * Keeps the result of one request for an element.
 *
 * It sends the request again when its key changes, ignores all but the latest response, and aborts the request when the
 * element leaves the page. It calls `onResult` after each request, with null on success and after a reset.
 */
export class RequestController<T> implements ReactiveController {
  /** The last result. It is kept while another request is running, and if a repeated request fails. */
  result: T | null = null;
  /** Why the latest request failed. */
  problem: Problem | null = null;
  pending = false;

  private key: string | null = null;
  private resultKey: string | null = null;
  private revision: unknown;
  private running: AbortController | null = null;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly onResult: (problem: Problem | null) => void = () => {},
  ) {
    host.addController(this);
  }

  /** Whether `result` belongs to a different key than the latest request. */
  get outdated(): boolean {
    return this.resultKey !== this.key;
  }

  /** Sends the request unless the latest one has the same key and revision. `key` is everything that the result depends on. */
  request(key: string, send: (signal: AbortSignal) => Promise<T>, { debounceMs = 0, revision }: RequestTiming = {}): void {
    if (key === this.key && revision === this.revision) return;
    this.key = key;
    this.revision = revision;
    this.running?.abort();
    this.running = new AbortController();
    this.pending = true;
    void this.run(key, send, debounceMs, this.running.signal);
    this.host.requestUpdate();
  }

  /** Forces the next `request` call to send, even if the key is unchanged. */
  invalidate(): void {
    this.revision = NEVER;
    this.host.requestUpdate();
  }

  /** Aborts the request and discards the result. */
  reset(): void {
    this.running?.abort();
    this.key = null;
    this.resultKey = null;
    this.result = null;
    this.problem = null;
    this.pending = false;
    this.onResult(null);
  }

  hostDisconnected(): void {
    this.running?.abort();
    this.revision = NEVER;
    this.pending = false;
    this.onResult(null);
  }

  private async run(key: string, send: (signal: AbortSignal) => Promise<T>, debounceMs: number, signal: AbortSignal): Promise<void> {
    if (debounceMs) await new Promise((resolve) => setTimeout(resolve, debounceMs));
    if (signal.aborted) return;
    try {
      const result = await send(signal);
      if (signal.aborted) return;
      this.result = result;
      this.resultKey = key;
      this.problem = null;
    } catch (cause) {
      if (signal.aborted) return;
      this.problem = Problem.from(cause);
      if (this.outdated) this.result = null;
    }
    this.pending = false;
    this.onResult(this.problem);
    this.host.requestUpdate();
  }
}
