/** Requests to the service: credential, errors, and a token that ends while the page is open. */
import { Problem, problemOf } from "./problem.js";
import { unreached } from "./network-error.js";

/** Names and values of a query string; a name may be there several times. */
export type Pairs = readonly (readonly [string, string])[];

export interface Asked {
  method?: string;
  pairs?: Pairs;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** Where to ask and as whom. Without a token the browser's session cookie counts (our own pages). */
export interface Place {
  /** Where the service is, without a slash at its end: `https://audit.example.com`, or empty for the page's own origin. */
  baseUrl: string;
  token: string;
  /** Named in a header, for a client's token of the whole environment. */
  tenant: string;
}

const EXPIRED = "TOKEN_EXPIRED";

/**
 * One service and one credential. `renew` is asked once, however many requests wait, when the token has ended; it
 * resolves to a new token, or to "" when there is none. `told` hears how every request ended: null is well.
 */
export class Client {
  private renewing: Promise<string> | null = null;

  constructor(
    private place: Place,
    private readonly renew: () => Promise<string> = () => Promise.resolve(""),
    private readonly told: (problem: Problem | null) => void = () => {},
  ) {}

  get token(): string {
    return this.place.token;
  }

  /** Named in a header; "" where the credential itself says it. */
  get tenant(): string {
    return this.place.tenant;
  }

  /** From now on ask with this token. */
  take(token: string): void {
    this.place = { ...this.place, token };
  }

  /** The same service asked with another token, which nobody renews and nobody hears of. */
  as(token: string): Client {
    return new Client({ ...this.place, token });
  }

  /** Where the service is, in full and without a slash at its end: for what is copied and used elsewhere. */
  get service(): string {
    return new URL(this.place.baseUrl || "/", location.href).href.replace(/\/+$/, "");
  }

  /** The address of a path under the service. */
  url(path: string, pairs: Pairs = []): string {
    const query = new URLSearchParams(pairs.map(([name, value]) => [name, value])).toString();
    return `${this.place.baseUrl}${path}${query ? `?${query}` : ""}`;
  }

  /** The answer's JSON. Rejects with Problem. */
  async json<T>(path: string, asked: Asked = {}): Promise<T> {
    const answer = await this.answer(path, asked);
    if (answer.status === 204) return undefined as T;
    return (await answer.json().catch((cause: unknown) => Promise.reject(Problem.of(cause)))) as T;
  }

  /** The answer itself, always a good one. Rejects with Problem. */
  async answer(path: string, asked: Asked = {}): Promise<Response> {
    try {
      const answer = await this.withRenewal(path, asked);
      this.told(null);
      return answer;
    } catch (cause) {
      const problem = Problem.of(cause);
      if (!problem.aborted) this.told(problem);
      throw problem;
    }
  }

  private async withRenewal(path: string, asked: Asked): Promise<Response> {
    const used = this.place.token;
    try {
      return await this.once(path, asked);
    } catch (cause) {
      const problem = Problem.of(cause);
      if (problem.code !== EXPIRED || !used) throw problem;
      const token = this.place.token === used ? await this.renewed() : this.place.token;
      if (!token) throw problem;
      return await this.once(path, asked);
    }
  }

  private async renewed(): Promise<string> {
    this.renewing ??= this.renew().finally(() => (this.renewing = null));
    const token = await this.renewing;
    if (token) this.take(token);
    return token;
  }

  private async once(path: string, asked: Asked): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json", ...asked.headers };
    if (this.place.token) headers["Authorization"] = `Bearer ${this.place.token}`;
    if (this.place.tenant) headers["Auditlane-Tenant"] = this.place.tenant;
    if (asked.body !== undefined) headers["Content-Type"] = "application/json";
    const request: RequestInit = {
      method: asked.method ?? "GET",
      headers,
      credentials: this.place.token ? "omit" : "same-origin",
      signal: asked.signal ?? null,
    };
    if (asked.body !== undefined) request.body = JSON.stringify(asked.body);
    const answer = await fetch(this.url(path, asked.pairs), request).catch((cause: unknown) => {
      throw unreached(Problem.of(cause), this.service);
    });
    if (!answer.ok) throw await problemOf(answer);
    return answer;
  }
}
