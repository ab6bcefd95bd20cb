/** Sends a test event and waits until it can be read. */
import type { Client } from "../../api/client.js";
import { Problem } from "../../api/problem.js";

const POLL_MS = 500;
const TIMEOUT_MS = 60_000;

/**
 * Resolves to the id of the event and whether it was stored in time. Calls `onAccepted` when Kafka has acknowledged it.
 * Rejects with Problem.
 */
export async function sendTestEvent(client: Client, onAccepted: () => void, signal: AbortSignal): Promise<{ id: string; stored: boolean }> {
  const { event_id: id } = await client.json<{ event_id: string }>("/v1/test-event", { method: "POST", signal });
  onAccepted();
  const until = Date.now() + TIMEOUT_MS;
  while (Date.now() < until && !signal.aborted) {
    if (await isStored(client, id, signal)) return { id, stored: true };
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return { id, stored: false };
}

/** Looks for the event in a list, since a 404 would appear as an error in the browser's console. */
async function isStored(client: Client, id: string, signal: AbortSignal): Promise<boolean> {
  try {
    const found = await client.json<{ data: unknown[] }>("/v1/events", { params: [["event_id", id], ["limit", "1"]], signal });
    return found.data.length > 0;
  } catch (cause) {
    const problem = Problem.from(cause);
    if (problem.status === 503 || problem.status === 429) return false;
    throw problem;
  }
}
