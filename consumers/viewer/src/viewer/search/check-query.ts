/** Lets the service validate a query before it is used in a search. */
import type { Client } from "../../api/client.js";
import { Problem, problemFromBody } from "../../api/problem.js";

const BAD_REQUEST = { status: 400, statusText: "", headers: new Headers() };

/** Resolves to the error in a query. Resolves to null if it is valid, or if the check fails, which the search itself then reports. */
export async function checkQuery(client: Client, query: string, signal: AbortSignal): Promise<Problem | null> {
  const response = client.json<{ error: Record<string, unknown> | null }>("/v1/check", { params: [["query", query]], signal });
  const { error } = await response.catch(() => ({ error: null }));
  return error && problemFromBody({ code: "FILTER_INVALID", ...error }, BAD_REQUEST);
}
