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

  /** The token to begin with. Elsewhere there is no session of the browser's: the host is about to give a token. */
  async first(baseUrl: string, token: string): Promise<string> {
    const elsewhere = new URL(baseUrl || location.origin, location.href).origin !== location.origin;
    return token || !elsewhere ? token : await this.next();
  }

  /** The token after `used`: the one that is `set` already, if it could not be vouched for then and can be now. */
  async renewed(set: string, used: string, vouch: (token: string) => Promise<boolean>): Promise<string> {
    const vouched = set !== "" && set !== used && (await vouch(set).catch(() => false));
    return vouched ? set : await this.next();
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
