/** Asks the service whether it understands a query, before searching with it. */
import type { Client } from "../../api/client.js";
import { Problem, problemFromBody } from "../../api/problem.js";

const WRONG = { status: 400, statusText: "", headers: new Headers() };

/** Resolves to the error in a query; null without one, and when the check fails, since the search itself reports that. */
export async function checkQuery(client: Client, query: string, signal: AbortSignal): Promise<Problem | null> {
  const response = client.json<{ error: Record<string, unknown> | null }>("/v1/check", { params: [["query", query]], signal });
  const { error } = await response.catch(() => ({ error: null }));
  return error && problemFromBody({ code: "FILTER_INVALID", ...error }, WRONG);
}
