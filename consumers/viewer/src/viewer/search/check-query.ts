/** Whether the service understands a query, asked before anything is looked for with it. */
import type { Client } from "../../api/client.js";
import { Problem, problemFromBody } from "../../api/problem.js";

const WRONG = { status: 400, statusText: "", headers: new Headers() };

/** The mistake in a query; null when there is none, or when that cannot be said, which those tell who look. */
export async function checkQuery(client: Client, query: string, signal: AbortSignal): Promise<Problem | null> {
  const asked = client.json<{ mistake: Record<string, unknown> | null }>("/v1/check", { params: [["query", query]], signal });
  const { mistake } = await asked.catch(() => ({ mistake: null }));
  return mistake && problemFromBody({ code: "FILTER_INVALID", ...mistake }, WRONG);
}
