/** Collects the failed requests of a viewer's elements, so that one notice reports them and one button retries them. */
import type { Problem } from "../api/problem.js";

export interface Failure {
  problem: Problem;
  /** Whether older data is still shown. */
  keepsData: boolean;
  /** Whether the element shows the problem itself, with a button that retries. */
  shownInPlace: boolean;
  retry(): void;
}

export class Failures {
  private readonly byOwner = new Map<object, Failure>();
  private readonly retried = new WeakSet<Failure>();

  constructor(private readonly onChange: () => void) {}

  /** Sets the failure of an element's last request. Null means that it succeeded or that the failure no longer matters. */
  set(owner: object, failure: Failure | null): void {
    if (!failure && !this.byOwner.has(owner)) return;
    if (failure) this.byOwner.set(owner, failure);
    else this.byOwner.delete(owner);
    this.onChange();
  }

  get all(): readonly Failure[] {
    return [...this.byOwner.values()];
  }

  /** Whether an element itself shows its problem. */
  get shownInPlace(): boolean {
    return this.all.some((failure) => failure.shownInPlace);
  }

  /** The failure to report, or null. Failures without older data to show take precedence. */
  get first(): Failure | null {
    return this.all.find((failure) => !failure.keepsData) ?? this.all[0] ?? null;
  }

  /** The longest `Retry-After` of all failures in seconds, or 0 without one. */
  get wait(): number {
    return Math.max(0, ...this.all.map((failure) => failure.problem.retryAfter ?? 0));
  }

  /** Retries every failure that is not being retried yet. */
  retryAll(): void {
    for (const failure of this.all) {
      if (this.retried.has(failure)) continue;
      this.retried.add(failure);
      failure.retry();
    }
  }
}
