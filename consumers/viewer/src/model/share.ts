/** Texts for copying an event: a link, its JSON, and the request that reads it. */
import type { AuditEvent } from "../api/types.js";
import { eventPath, referenceOf } from "./identity.js";
import { losesDigits } from "./json.js";
import { DEFAULT_VIEW, searchForSavedView, searchFromView, type View, zoneFromSearch } from "./view.js";

type Page = Pick<Location, "origin" | "pathname" | "search" | "hash">;

const SECRET = /token|secret|password|^code$/i;

/** Returns the address of the page with only this event open, in the zone of the address and without possible secrets. */
export function linkTo(event: AuditEvent, page: Page, view: View = DEFAULT_VIEW): string {
  return address({ ...view, open: referenceOf(event) }, page);
}

/** Returns the address of the page with this view, without an open event and without possible secrets. */
export function linkToView(view: View, page: Page): string {
  return address({ ...view, open: "", live: false, settings: false }, page);
}

/** Returns the address of the page with this saved view as it is when the link is opened, without possible secrets. */
export function linkToSavedView(id: string, page: Page): string {
  return addressWith(searchForSavedView(id, withoutSecrets(page.search)), page);
}

function address(view: View, page: Page): string {
  return addressWith(searchFromView(view, withoutSecrets(page.search), zoneFromSearch(page.search)), page);
}

function addressWith(search: string, page: Page): string {
  return `${page.origin}${page.pathname}${search}${page.hash}`;
}

function withoutSecrets(search: string): string {
  const params = new URLSearchParams(search);
  for (const name of [...params.keys()]) if (SECRET.test(name)) params.delete(name);
  return params.toString();
}

/** Returns the event as JSON, with `before` and `after` embedded if they are JSON. */
export function jsonOf(event: AuditEvent): string {
  return JSON.stringify({ ...event, before: parseOrText(event.before), after: parseOrText(event.after) }, null, 2);
}

/** Returns the request as a shell command that reads the token from `TOKEN`. */
export function curlFor(event: AuditEvent, url: string, tenant: string): string {
  const named = tenant ? ` \\\n  -H ${shellQuote(`Auditlane-Tenant: ${tenant}`)}` : "";
  return `curl -H "Authorization: Bearer $TOKEN"${named} \\\n  ${shellQuote(`${url}${eventPath(referenceOf(event))}`)}`;
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Parses JSON. Returns the text if a number would lose digits. */
function parseOrText(text: string | null): unknown {
  if (text === null || losesDigits(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
