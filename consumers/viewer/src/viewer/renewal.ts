/** A token that ends while people read: the host is told once, however many requests wait, and has so long to answer. */

export const BOUND_MS = 15_000;

export class Renewal {
  private waiting: Promise<string> | null = null;
  private settle: (token: string) => void = () => {};

  /** `tell` says to the host that the token has ended. */
  constructor(
    private readonly tell: () => void,
    private readonly boundMs = BOUND_MS,
  ) {}

  get waits(): boolean {
    return this.waiting !== null;
  }

  /** The next token, or "" when none came in time. */
  next(): Promise<string> {
    if (this.waiting) return this.waiting;
    this.waiting = new Promise((resolve) => {
      const timer = setTimeout(() => this.give(""), this.boundMs);
      this.settle = (token) => {
        clearTimeout(timer);
        resolve(token);
      };
    });
    const promised = this.waiting;
    this.tell(); // last: the host may answer at once
    return promised;
  }

  /** Ends the wait, if there is one; "" says that there is no token. */
  give(token: string): void {
    this.waiting = null;
    this.settle(token);
    this.settle = () => {};
  }
}
