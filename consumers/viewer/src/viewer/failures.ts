/** What the parts of a viewer could not have: it is said once for all of them, and asked for again together. */
import type { Problem } from "../api/problem.js";

export interface Failure {
  problem: Problem;
  /** What was shown before stands in its place. */
  keepsData: boolean;
  /** Who failed says it, with a button that asks again: then nobody else needs one. */
  shownInPlace: boolean;
  retry(): void;
}

export class Failures {
  private readonly byOwner = new Map<object, Failure>();
  private readonly retried = new WeakSet<Failure>();

  constructor(private readonly onChange: () => void) {}

  /** How the last request of `who` ended; null is well, or of no interest any more. */
  set(owner: object, failure: Failure | null): void {
    if (!failure && !this.byOwner.has(owner)) return;
    if (failure) this.byOwner.set(owner, failure);
    else this.byOwner.delete(owner);
    this.onChange();
  }

  get all(): readonly Failure[] {
    return [...this.byOwner.values()];
  }

  /** Some part says it, and has the button. */
  get shownInPlace(): boolean {
    return this.all.some((failure) => failure.shownInPlace);
  }

  /** What to say for all of them: the first that somebody waits for in vain, else the first; null when nothing failed. */
  get first(): Failure | null {
    return this.all.find((failure) => !failure.keepsData) ?? this.all[0] ?? null;
  }

  /** Seconds until the service wants to be asked again; 0 when it did not say. */
  get wait(): number {
    return Math.max(0, ...this.all.map((failure) => failure.problem.retryAfter ?? 0));
  }

  /** Whatever is not under way already. */
  retryAll(): void {
    for (const failure of this.all) {
      if (this.retried.has(failure)) continue;
      this.retried.add(failure);
      failure.retry();
    }
  }
}
