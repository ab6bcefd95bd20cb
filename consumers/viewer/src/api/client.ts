/** Requests to the service: credential, errors, and a token that ends while the page is open. */
import { Problem, problemFromResponse } from "./problem.js";
import { classifyNetworkError } from "./network-error.js";

/** Names and values of a query string; a name may be there several times. */
export type QueryParams = readonly (readonly [string, string])[];

export interface RequestOptions {
  method?: string;
  params?: QueryParams;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** Where to ask and as whom. Without a token the browser's session cookie counts (our own pages). */
export interface Endpoint {
  /** Where the service is, without a slash at its end: `https://audit.example.com`, or empty for the page's own origin. */
  baseUrl: string;
  token: string;
  /** Named in a header, for a client's token of the whole environment. */
  tenant: string;
}

const TOKEN_EXPIRED = "TOKEN_EXPIRED";

/**
 * One service and one credential. `renew` is asked once, however many requests wait, when the token has ended; it
 * resolves to a new token, or to "" when there is none. `told` hears how every request ended: null is well.
 */
export class Client {
  private renewing: Promise<string> | null = null;

  constructor(
    private endpoint: Endpoint,
    private readonly renew: () => Promise<string> = () => Promise.resolve(""),
    private readonly onResult: (problem: Problem | null) => void = () => {},
  ) {}

  get token(): string {
    return this.endpoint.token;
  }

  /** Named in a header; "" where the credential itself says it. */
  get tenant(): string {
    return this.endpoint.tenant;
  }

  /** From now on ask with this token. */
  setToken(token: string): void {
    this.endpoint = { ...this.endpoint, token };
  }

  /** The same service asked with another token, which nobody renews and nobody hears of. */
  withToken(token: string): Client {
    return new Client({ ...this.endpoint, token });
  }

  /** Where the service is, in full and without a slash at its end: for what is copied and used elsewhere. */
  get service(): string {
    return new URL(this.endpoint.baseUrl || "/", location.href).href.replace(/\/+$/, "");
  }

  /** The address of a path under the service. */
  url(path: string, params: QueryParams = []): string {
    const query = new URLSearchParams(params.map(([name, value]) => [name, value])).toString();
    return `${this.endpoint.baseUrl}${path}${query ? `?${query}` : ""}`;
  }

  /** The answer's JSON. Rejects with Problem. */
  async json<T>(path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.send(path, options);
    if (response.status === 204) return undefined as T;
    return (await response.json().catch((cause: unknown) => Promise.reject(Problem.from(cause)))) as T;
  }

  /** The answer itself, always a good one. Rejects with Problem. */
  async send(path: string, options: RequestOptions = {}): Promise<Response> {
    try {
      const response = await this.withRenewal(path, options);
      this.onResult(null);
      return response;
    } catch (cause) {
      const problem = Problem.from(cause);
      if (!problem.aborted) this.onResult(problem);
      throw problem;
    }
  }

  private async withRenewal(path: string, options: RequestOptions): Promise<Response> {
    const used = this.endpoint.token;
    try {
      return await this.sendOnce(path, options);
    } catch (cause) {
      const problem = Problem.from(cause);
      if (problem.code !== TOKEN_EXPIRED || !used) throw problem;
      const token = this.endpoint.token === used ? await this.renewToken() : this.endpoint.token;
      if (!token) throw problem;
      return await this.sendOnce(path, options);
    }
  }

  private async renewToken(): Promise<string> {
    this.renewing ??= this.renew().finally(() => (this.renewing = null));
    const token = await this.renewing;
    if (token) this.setToken(token);
    return token;
  }

  private async sendOnce(path: string, options: RequestOptions): Promise<Response> {
    const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
    if (this.endpoint.token) headers["Authorization"] = `Bearer ${this.endpoint.token}`;
    if (this.endpoint.tenant) headers["Auditlane-Tenant"] = this.endpoint.tenant;
    if (options.body !== undefined) headers["Content-Type"] = "application/json";
    const request: RequestInit = {
      method: options.method ?? "GET",
      headers,
      credentials: this.endpoint.token ? "omit" : "same-origin",
      signal: options.signal ?? null,
    };
    if (options.body !== undefined) request.body = JSON.stringify(options.body);
    const response = await fetch(this.url(path, options.params), request).catch((cause: unknown) => {
      throw classifyNetworkError(Problem.from(cause), this.service);
    });
    if (!response.ok) throw await problemFromResponse(response);
    return response;
  }
}
