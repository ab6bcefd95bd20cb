/** Asks the host page for tokens: once for all waiting requests, and for a limited time. */

export const TIMEOUT_MS = 15_000;

export class TokenRenewal {
  private waiting: Promise<string> | null = null;
  private settle: (token: string) => void = () => {};

  /** `requestToken` tells the host that a token is needed. */
  constructor(
    private readonly requestToken: () => void,
    private readonly timeoutMs = TIMEOUT_MS,
  ) {}

  get pending(): boolean {
    return this.waiting !== null;
  }

  /** Resolves to the first token: waits for the host's where the service is on another origin, which has no browser session. */
  async initialToken(baseUrl: string, token: string): Promise<string> {
    const elsewhere = new URL(baseUrl || location.origin, location.href).origin !== location.origin;
    return token || !elsewhere ? token : await this.nextToken();
  }

  /** Resolves to the token after `used`: `set`, if it was given before and can be verified now, else the next one. */
  async renew(set: string, used: string, verify: (token: string) => Promise<boolean>): Promise<string> {
    const vouched = set !== "" && set !== used && (await verify(set).catch(() => false));
    return vouched ? set : await this.nextToken();
  }

  /** Resolves to the host's next token, or to "" after the timeout. */
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
    this.requestToken(); // last, because the host may answer synchronously
    return promised;
  }

  /** Ends the wait with a token, or with "" for none. */
  provide(token: string): void {
    this.waiting = null;
    this.settle(token);
    this.settle = () => {};
  }
}
