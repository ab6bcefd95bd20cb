/** Requests tokens from the host page. One request serves all waiting callers and has a timeout. */

export const TIMEOUT_MS = 15_000;

export class TokenRenewal {
  private waiting: Promise<string> | null = null;
  private settle: (token: string) => void = () => {};

  /** `requestToken` notifies the host that a token is needed. */
  constructor(
    private readonly requestToken: () => void,
    private readonly timeoutMs = TIMEOUT_MS,
  ) {}

  get pending(): boolean {
    return this.waiting !== null;
  }

  /** Resolves to the first token. On another origin, where there is no browser session, it waits for the host's token. */
  async initialToken(baseUrl: string, token: string): Promise<string> {
    const elsewhere = new URL(baseUrl || location.origin, location.href).origin !== location.origin;
    return token || !elsewhere ? token : await this.nextToken();
  }

  /**
   * Resolves to the token that replaces `used`. It is `current` if the host has already changed it and it is valid, and
   * the next token otherwise.
   */
  async renew(current: string, used: string, verify: (token: string) => Promise<boolean>): Promise<string> {
    const verified = current !== "" && current !== used && (await verify(current).catch(() => false));
    return verified ? current : await this.nextToken();
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
    this.requestToken(); // last, because the host may respond synchronously
    return promised;
  }

  /** Ends the wait with a token, or with "" if none has arrived. */
  provide(token: string): void {
    this.waiting = null;
    this.settle(token);
    this.settle = () => {};
  }
}
