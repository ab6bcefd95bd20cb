/** Whether the service understands a query, asked before anything is looked for with it. */
import type { Client } from "../../api/client.js";
import { Problem, told } from "../../api/problem.js";

const WRONG = { status: 400, statusText: "", headers: new Headers() };

/** The mistake in a query; null when there is none, or when that cannot be said, which those tell who look. */
export async function mistakeOf(client: Client, query: string, signal: AbortSignal): Promise<Problem | null> {
  const asked = client.json<{ mistake: Record<string, unknown> | null }>("/v1/check", { pairs: [["query", query]], signal });
  const { mistake } = await asked.catch(() => ({ mistake: null }));
  return mistake && told({ code: "FILTER_INVALID", ...mistake }, WRONG);
}
