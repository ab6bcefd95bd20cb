/** What the parts of a viewer could not have: it is said once for all of them, and asked for again together. */
import type { Problem } from "../api/problem.js";

export interface Failure {
  problem: Problem;
  /** What was shown before stands in its place. */
  kept: boolean;
  /** Who failed says it, with a button that asks again: then nobody else needs one. */
  told: boolean;
  again(): void;
}

export class Failures {
  private readonly of = new Map<object, Failure>();
  private readonly asked = new WeakSet<Failure>();

  constructor(private readonly changed: () => void) {}

  /** How the last request of `who` ended; null is well, or of no interest any more. */
  set(who: object, failure: Failure | null): void {
    if (!failure && !this.of.has(who)) return;
    if (failure) this.of.set(who, failure);
    else this.of.delete(who);
    this.changed();
  }

  get all(): readonly Failure[] {
    return [...this.of.values()];
  }

  /** Some part says it, and has the button. */
  get told(): boolean {
    return this.all.some((one) => one.told);
  }

  /** What to say for all of them: the first that somebody waits for in vain, else the first; null when nothing failed. */
  get first(): Failure | null {
    return this.all.find((one) => !one.kept) ?? this.all[0] ?? null;
  }

  /** Seconds until the service wants to be asked again; 0 when it did not say. */
  get wait(): number {
    return Math.max(0, ...this.all.map((one) => one.problem.retryAfter ?? 0));
  }

  /** Whatever is not under way already. */
  again(): void {
    for (const one of this.all) {
      if (this.asked.has(one)) continue;
      this.asked.add(one);
      one.again();
    }
  }
}
