/** What is copied: a link to an event, and the request that gives it. */
import type { AuditEvent } from "../api/types.js";
import { eventPath, referenceOf } from "./identity.js";
import { losesDigits } from "./json.js";
import { DEFAULT_VIEW, searchFromView, type View } from "./view.js";

/** The page's address with this event open and nothing else of the view: whoever gets it sees the same. */
export function linkTo(event: AuditEvent, page: Pick<Location, "origin" | "pathname" | "search" | "hash">, view: View = DEFAULT_VIEW): string {
  return `${page.origin}${page.pathname}${searchFromView({ ...view, open: referenceOf(event) }, page.search)}${page.hash}`;
}

/** As it came, `before` and `after` unfolded where they are JSON. */
export function jsonOf(event: AuditEvent): string {
  return JSON.stringify({ ...event, before: parseOrText(event.before), after: parseOrText(event.after) }, null, 2);
}

/** The request for a shell; whoever runs it has the token in `TOKEN`. */
export function curlFor(event: AuditEvent, url: string, tenant: string): string {
  const named = tenant ? ` \\\n  -H ${shellQuote(`Auditlane-Tenant: ${tenant}`)}` : "";
  return `curl -H "Authorization: Bearer $TOKEN"${named} \\\n  ${shellQuote(`${url}${eventPath(referenceOf(event))}`)}`;
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Text stays text where a number would lose digits. */
function parseOrText(text: string | null): unknown {
  if (text === null || losesDigits(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
