/** Identifies events. Several may have the same id and time, but different content. */
import type { AuditEvent } from "../api/types.js";

type Identified = Pick<AuditEvent, "event_id" | "occurred_at" | "content_hash">;

export function isSameEvent(left: Identified, right: Identified): boolean {
  return claimSameId(left, right) && left.content_hash === right.content_hash;
}

/** Whether both events have the same id and time. Two such events with different content are in conflict. */
export function claimSameId(left: Identified, right: Identified): boolean {
  return left.event_id === right.event_id && left.occurred_at === right.occurred_at;
}

/** Returns the reference to an event in an address: its id and, if it is in conflict, its content hash. */
export function referenceOf(event: Identified & Pick<AuditEvent, "conflict">): string {
  return event.conflict ? `${event.event_id}.${event.content_hash}` : event.event_id;
}

/** Whether the reference identifies this event. An id alone refers to every event with that id. */
export function matchesReference(reference: string, event: Identified): boolean {
  const [id, content] = splitReference(reference);
  return event.event_id === id && (!content || event.content_hash === content);
}

/** Returns the path of the event on the service, with a query string. */
export function eventPath(reference: string): string {
  const [id, content] = splitReference(reference);
  return `/v1/events/${encodeURIComponent(id)}${content ? `?content_hash=${encodeURIComponent(content)}` : ""}`;
}

function splitReference(reference: string): [string, string] {
  const at = reference.indexOf(".");
  return at < 0 ? [reference, ""] : [reference.slice(0, at), reference.slice(at + 1)];
}
