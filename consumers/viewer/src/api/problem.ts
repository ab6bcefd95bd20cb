/** An error in a query, in a form that can be translated. */
export interface QueryError {
  /** The service's stable name for the error. */
  readonly reason: string;
  readonly args: Readonly<Record<string, string>>;
}

/** A failed request: RFC 9457 problem details with the service's codes. */
export class Problem extends Error {
  constructor(
    /** The HTTP status, or 0 if there was no response. */
    readonly status: number,
    /** The service's stable code, or OFFLINE, UNREACHABLE, ABORTED, UNREADABLE. */
    readonly code: string,
    readonly detail: string,
    readonly fix = "",
    /** The invalid field of the request. */
    readonly field = "",
    /** The position in the query text, counted from 1. */
    readonly column: number | null = null,
    /** Seconds to wait before a retry. */
    readonly retryAfter: number | null = null,
    readonly requestId = "",
    /** All invalid fields of the request, if there are several. */
    readonly errors: readonly { field: string; message: string }[] = [],
    /** Set for an error in a query. */
    readonly queryError: QueryError | null = null,
  ) {
    super(detail);
    this.name = "Problem";
  }

  /** Whether the viewer itself aborted the request. This is not an error. */
  get aborted(): boolean {
    return this.code === "ABORTED";
  }

  static from(cause: unknown): Problem {
    if (cause instanceof Problem) return cause;
    const name = cause instanceof Error ? cause.name : "";
    if (name === "AbortError") return new Problem(0, "ABORTED", "");
    if (cause instanceof TypeError) return new Problem(0, "OFFLINE", cause.message); // thrown by fetch without a network
    return new Problem(0, "UNREADABLE", String(cause));
  }
}

/** Reads the problem from a response. */
export async function problemFromResponse(response: Response): Promise<Problem> {
  return problemFromBody((await response.json().catch(() => ({}))) as Record<string, unknown>, response);
}

/** Builds the problem that a body describes. Missing values are taken from `response`. */
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
