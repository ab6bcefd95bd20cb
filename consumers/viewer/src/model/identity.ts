/** Which event one is. Several may claim one id, and one time with it: their content tells them apart. */
import type { AuditEvent } from "../api/types.js";

type Identified = Pick<AuditEvent, "event_id" | "occurred_at" | "content_hash">;

export function isSameEvent(left: Identified, right: Identified): boolean {
  return claimSameId(left, right) && left.content_hash === right.content_hash;
}

/** Whether both claim the same id and time: two such events that are not the same are in conflict. */
export function claimSameId(left: Identified, right: Identified): boolean {
  return left.event_id === right.event_id && left.occurred_at === right.occurred_at;
}

/** What an address names an event by: its id, and of one in conflict its content too. */
export function referenceOf(event: Identified & Pick<AuditEvent, "conflict">): string {
  return event.conflict ? `${event.event_id}.${event.content_hash}` : event.event_id;
}

/** Whether this event is meant. An id alone means any event with it. */
export function matchesReference(reference: string, event: Identified): boolean {
  const [id, content] = splitReference(reference);
  return event.event_id === id && (!content || event.content_hash === content);
}

/** The path of an event, with its query. */
export function eventPath(reference: string): string {
  const [id, content] = splitReference(reference);
  return `/v1/events/${encodeURIComponent(id)}${content ? `?content_hash=${encodeURIComponent(content)}` : ""}`;
}

function splitReference(reference: string): [string, string] {
  const at = reference.indexOf(".");
  return at < 0 ? [reference, ""] : [reference.slice(0, at), reference.slice(at + 1)];
}
