/** A mistake in a query, to be said in any language. */
export interface QueryError {
  /** The service's stable name of it. */
  readonly reason: string;
  readonly args: Readonly<Record<string, string>>;
}

/** What went wrong with a request, in the words of the service (RFC 9457 problem details with our codes). */
export class Problem extends Error {
  constructor(
    /** HTTP status; 0 when no answer came. */
    readonly status: number,
    /** The service's stable code, or OFFLINE, UNREACHABLE, ABORTED, UNREADABLE. */
    readonly code: string,
    readonly detail: string,
    readonly fix = "",
    /** The request's field that is wrong. */
    readonly field = "",
    /** Where in the query text, counted from 1. */
    readonly column: number | null = null,
    /** Seconds after which to try again. */
    readonly retryAfter: number | null = null,
    readonly requestId = "",
    /** Every wrong field of the request, when there are several. */
    readonly errors: readonly { field: string; message: string }[] = [],
    /** Of a mistake in a query: which one, and what it is about. */
    readonly queryError: QueryError | null = null,
  ) {
    super(detail);
    this.name = "Problem";
  }

  /** The request was given up by us, which nobody needs to be told. */
  get aborted(): boolean {
    return this.code === "ABORTED";
  }

  static from(cause: unknown): Problem {
    if (cause instanceof Problem) return cause;
    const name = cause instanceof Error ? cause.name : "";
    if (name === "AbortError") return new Problem(0, "ABORTED", "");
    if (cause instanceof TypeError) return new Problem(0, "OFFLINE", cause.message); // what fetch raises without a network
    return new Problem(0, "UNREADABLE", String(cause));
  }
}

/** The problem that an answer tells of. */
export async function problemFromResponse(response: Response): Promise<Problem> {
  return problemFromBody((await response.json().catch(() => ({}))) as Record<string, unknown>, response);
}

/** The problem that a body describes; `answer` says what the body does not. */
export function problemFromBody(body: Record<string, unknown>, response: Pick<Response, "status" | "statusText" | "headers">): Problem {
  const text = (name: string): string => (typeof body[name] === "string" ? (body[name] as string) : "");
  const retry = Number(response.headers.get("Retry-After") ?? NaN);
  return new Problem(
    response.status,
    text("code") || `HTTP_${response.status}`,
    text("detail") || text("title") || response.statusText,
    text("fix"),
    text("field"),
    typeof body["column"] === "number" ? body["column"] : null,
    Number.isFinite(retry) ? retry : null,
    text("request_id"),
    Array.isArray(body["errors"]) ? (body["errors"] as { field: string; message: string }[]) : [],
    text("reason") ? { reason: text("reason"), args: (body["arguments"] ?? {}) as QueryError["args"] } : null,
  );
}
