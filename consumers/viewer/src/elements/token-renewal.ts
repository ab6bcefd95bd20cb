/** A token that ends while people read: the host is told once, however many requests wait, and has so long to answer. */

export const TIMEOUT_MS = 15_000;

export class TokenRenewal {
  private waiting: Promise<string> | null = null;
  private settle: (token: string) => void = () => {};

  /** `tell` says to the host that the token has ended. */
  constructor(
    private readonly requestToken: () => void,
    private readonly timeoutMs = TIMEOUT_MS,
  ) {}

  get pending(): boolean {
    return this.waiting !== null;
  }

  /** The token to begin with. Elsewhere there is no session of the browser's: the host is about to give a token. */
  async initialToken(baseUrl: string, token: string): Promise<string> {
    const elsewhere = new URL(baseUrl || location.origin, location.href).origin !== location.origin;
    return token || !elsewhere ? token : await this.nextToken();
  }

  /** The token after `used`: the one that is `set` already, if it could not be vouched for then and can be now. */
  async renew(set: string, used: string, verify: (token: string) => Promise<boolean>): Promise<string> {
    const vouched = set !== "" && set !== used && (await verify(set).catch(() => false));
    return vouched ? set : await this.nextToken();
  }

  /** The next token, or "" when none came in time. */
  nextToken(): Promise<string> {
    if (this.waiting) return this.waiting;
    this.waiting = new Promise((resolve) => {
      const timer = setTimeout(() => this.provide(""), this.timeoutMs);
      this.settle = (token) => {
        clearTimeout(timer);
        resolve(token);
      };
    });
    const promised = this.waiting;
    this.requestToken(); // last: the host may answer at once
    return promised;
  }

  /** Ends the wait, if there is one; "" says that there is no token. */
  provide(token: string): void {
    this.waiting = null;
    this.settle(token);
    this.settle = () => {};
  }
}
