/** Whether the service understands a query, asked before anything is looked for with it. */
import type { Client } from "../../api/client.js";
import { Problem } from "../../api/problem.js";

/** A moment of which nothing is stored: a query that asks about it is read, and finds nothing. */
const NEVER = [
  ["from", "1970-01-01T00:00:00Z"],
  ["to", "1970-01-01T00:00:00.000001Z"],
] as const;

/** The mistake in a query; null when there is none, or when something else went wrong, which those tell who look. */
export async function mistakeOf(client: Client, query: string, signal: AbortSignal): Promise<Problem | null> {
  const pairs = [["query", query], ...NEVER, ["limit", "1"]] as const;
  const problem = await client.json("/v1/events", { pairs, signal }).then(() => null, Problem.of);
  return problem?.code === "FILTER_INVALID" ? problem : null;
}
