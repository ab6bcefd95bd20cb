/** Sends requests to the service: adds the credential, turns failures into problems, and renews an expired token. */
import { classifyNetworkError } from "./network-error.js";
import { Problem, problemFromResponse } from "./problem.js";

/** The names and values of a query string. A name may occur several times. */
export type QueryParams = readonly (readonly [string, string])[];

export interface RequestOptions {
  method?: string;
  params?: QueryParams;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** The service and the credential. Without a token, the browser's session cookie is sent, which exists only on the service's own pages. */
export interface Endpoint {
  /** The URL of the service without a trailing slash, such as `https://audit.example.com`. Empty for the page's own origin. */
  baseUrl: string;
  token: string;
  /** Sent in a header with an environment-wide token. */
  tenant: string;
}

const TOKEN_EXPIRED = "TOKEN_EXPIRED";

/**
 * Sends requests to one service with one credential.
 *
 * When the token has expired, `renew` is called once for all waiting requests. It resolves to a new token, or to ""
 * if the host provides none. `onResult` is called after every request, with null on success.
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

  /** The tenant to send in a header, or "" if the credential names one. */
  get tenant(): string {
    return this.endpoint.tenant;
  }

  setToken(token: string): void {
    this.endpoint = { ...this.endpoint, token };
  }

  /** Returns a client for another token, without renewal and `onResult`. */
  withToken(token: string): Client {
    return new Client({ ...this.endpoint, token });
  }

  /** The absolute URL of the service without a trailing slash, for snippets that run elsewhere. */
  get service(): string {
    return new URL(this.endpoint.baseUrl || "/", location.href).href.replace(/\/+$/, "");
  }

  /** Returns the URL of a path on the service. */
  url(path: string, params: QueryParams = []): string {
    const query = new URLSearchParams(params.map(([name, value]) => [name, value])).toString();
    return `${this.endpoint.baseUrl}${path}${query ? `?${query}` : ""}`;
  }

  /** Sends a request and resolves to the response's JSON. Rejects with Problem. */
  async json<T>(path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.send(path, options);
    if (response.status === 204) return undefined as T;
    return (await response.json().catch((cause: unknown) => Promise.reject(Problem.from(cause)))) as T;
  }

  /** Sends a request and resolves to a successful response. Rejects with Problem. */
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
