/** A request that a part shows the answer of: asked again when what it is about changes, and only the last one counts. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

import { Problem } from "../api/problem.js";

interface How {
  afterMs?: number;
  /** Another one asks the same again: what was answered is still about this. */
  turn?: unknown;
}

/** Gives up what is under way when something else is wanted, and when its host leaves the page. */
export class Question<T> implements ReactiveController {
  /** The last good answer; stays, as old, while another is awaited, and when the same could not be had again. */
  answer: T | null = null;
  /** Why the last one was not answered. */
  problem: Problem | null = null;
  pending = false;

  private about: string | null = null;
  private answered: string | null = null;
  private turn: unknown;
  private under: AbortController | null = null;

  /** `told` hears how each request ended, null when it was well or nobody waits for it any more. */
  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly told: (problem: Problem | null) => void = () => {},
  ) {
    host.addController(this);
  }

  /** The answer that is there is about something else than what is asked. */
  get other(): boolean {
    return this.answered !== this.about;
  }

  /** Ask, unless the same was asked already. `about` is all that the answer depends on. */
  want(about: string, ask: (signal: AbortSignal) => Promise<T>, { afterMs = 0, turn }: How = {}): void {
    if (about === this.about && turn === this.turn) return;
    [this.about, this.turn] = [about, turn];
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
        [this.answer, this.answered, this.problem] = [answer, about, null];
      } catch (cause) {
        if (own.signal.aborted) return;
        this.problem = Problem.of(cause);
        if (this.other) this.answer = null;
      }
      this.pending = false;
      this.told(this.problem);
      this.host.requestUpdate();
    })();
    this.host.requestUpdate();
  }

  /** Ask the same again the next time that it is wanted. */
  forget(): void {
    this.turn = NEVER;
    this.host.requestUpdate();
  }

  /** Stop, and keep nothing. */
  drop(): void {
    this.under?.abort();
    [this.about, this.answered, this.answer, this.problem, this.pending] = [null, null, null, null, false];
    this.told(null);
  }

  hostDisconnected(): void {
    this.under?.abort();
    this.turn = NEVER;
    this.pending = false;
    this.told(null);
  }
}

const NEVER = Symbol("no turn is like this one");
