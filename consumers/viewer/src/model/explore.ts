/** Views related to an event: what happened around it, and other events with the same actor, object or session. */
import type { AuditEvent } from "../api/types.js";
import { ownValue } from "./own-property.js";
import { formatTerm } from "./query.js";
import { ALL_TIME } from "./range.js";
import type { View } from "./view.js";

export type Exploration = "around" | "actor" | "object" | "session" | "timeline";

const AROUND_MS = 5 * 60_000;
const SESSION_KEYS = ["session_id", "sessionId", "session"];

/** Returns the possible views in the order of their buttons. */
export function explorationsOf(event: AuditEvent): [Exploration, Partial<View>][] {
  const found: [Exploration, Partial<View>][] = [];
  const ms = Date.parse(event.occurred_at);
  if (!Number.isNaN(ms)) {
    const [from, to] = [ms - AROUND_MS, ms + AROUND_MS].map((end) => new Date(end).toISOString()) as [string, string];
    found.push(["around", { query: "", range: { kind: "custom", from, to } }]);
  }
  const actor = event.actor_id ? formatTerm("actor_id", event.actor_id) : "";
  if (actor) found.push(["actor", { query: actor }]);
  const { resource, resource_id: id } = event;
  if (id) found.push(["object", { query: `${formatTerm("resource", resource || null)} ${formatTerm("resource_id", id)}` }]);
  const session = sessionTerm(event);
  if (session) found.push(["session", { query: session }]);
  if (actor) found.push(["timeline", { query: actor, range: ALL_TIME, sort: "occurred_at" }]);
  return found;
}

function sessionTerm(event: AuditEvent): string {
  for (const map of ["fields", "metadata"] as const) {
    for (const key of SESSION_KEYS) {
      const value = ownValue(event[map], key);
      if (value) return formatTerm(`${map}.${key}`, value);
    }
  }
  return "";
}
