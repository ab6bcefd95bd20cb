import type { ProblemKind } from "../../model/problem-kind.js";
import type { Preset } from "../../model/range.js";

const plural = new Intl.PluralRules("en");

export interface ProblemTexts {
  title: string;
  advice: string;
}

const problems: Record<ProblemKind, ProblemTexts> = {
  expired: { title: "Your session has expired", advice: "Reload the page, or open the log again from your application." },
  signedOut: {
    title: "You are not signed in",
    advice: "Open the log again from your application. Each of its links works only once.",
  },
  forbidden: { title: "You don’t have access", advice: "Ask an audit log administrator in your organisation." },
  otherTenant: { title: "This log belongs to another organisation", advice: "You are signed in to a different one." },
  tenantNeeded: { title: "Tenant required", advice: "These credentials are valid for the whole environment. Specify a tenant." },
  disabled: {
    title: "Audit logs are switched off",
    advice: "They cannot be viewed until they are switched on again. Events are still recorded.",
  },
  offline: { title: "No connection", advice: "We’ll reconnect automatically." },
  unreachable: {
    title: "The service cannot be reached from this page",
    advice: "It is not responding, or it does not allow requests from this page. See the browser console for details.",
  },
  limited: { title: "Too many requests", advice: "Other people in your organisation are searching, too." },
  away: { title: "The log is temporarily unavailable", advice: "Nothing is lost. Try again in a moment." },
  tooLarge: { title: "The search covers too many events", advice: "Choose a shorter time range or narrow the search." },
  notUnderstood: { title: "The search is invalid", advice: "Correct it, or start a new one." },
  gone: { title: "Not found", advice: "It may have been removed, or the link may be incomplete." },
  full: { title: "Too many exports", advice: "Remove one that you no longer need." },
  failed: { title: "Something went wrong", advice: "Try again. If this persists, contact support and quote the request ID." },
};

export const states = {
  /** Default labels of the base fields. */
  fields: {
    occurred_at: "Time",
    actor_name: "Actor",
    action: "Action",
    resource: "Resource",
    outcome: "Outcome",
    severity: "Severity",
    ip: "IP address",
    description: "Description",
    actor_id: "Actor ID",
    actor_type: "Actor type",
    on_behalf_of: "On behalf of",
    resource_id: "Resource ID",
    user_agent: "User agent",
    request_id: "Request ID",
    source: "Source",
    before: "Before",
    after: "After",
    metadata: "Metadata",
    provenance: "Received via",
    provenance_id: "Received from",
  } as Record<string, string>,
  viewingAs: (tenant: string): string => `You are viewing the log of ${tenant} as its users see it.`,
  toConsole: "Back to the console",
  heading: "Audit log",
  loading: "Loading",
  retry: "Try again",
  refresh: "Refresh",
  settings: "Settings",
  back: "Back to the log",
  switchOn: "Open settings",
  retryIn: (seconds: string): string => `Retrying in ${seconds}.`,
  requestId: "Request ID",
  problems,
  endedNotice: "Your session has expired. You can keep reading, but no new events can be loaded.",
  offlineNotice: "No connection. What you see may be out of date. We’ll reconnect automatically.",
  unreachableNotice: "The service is not responding to this page. What you see may be out of date. We’ll keep trying.",
  maybeOld: "What you see may be out of date.",
  missingPart: "Part of this page could not be loaded. If this persists, the page is out of date: reload it.",
  reload: "Reload page",
  nothingMatches: "No matching events",
  searchedFor: "Search",
  inTime: "Time range",
  presets: {
    "1h": "the last hour",
    "24h": "the last 24 hours",
    "7d": "the last 7 days",
    "30d": "the last 30 days",
    "90d": "the last 90 days",
    "1y": "the last year",
  } satisfies Record<Preset, string>,
  between: (from: string, to: string): string => `${from} to ${to}`,
  since: (from: string): string => `since ${from}`,
  until: (to: string): string => `until ${to}`,
  nearMisses: "Values must match exactly, including upper and lower case. Did you mean:",
  countedEvents: (count: number, shown: string): string => `${shown} ${plural.select(count) === "one" ? "event" : "events"}`,
  clearFilters: "Clear search",
  allTime: "Search all time",
  nothingYet: "No events yet",
  nothingYetAdvice: "Events appear here as soon as they are sent.",
  first: {
    title: "Send your first event",
    lead: (tenant: string): string =>
      `“${tenant}” has not sent any events of its own yet. Add one of these snippets to your service, or try it out with a test event.`,
    ways: "Ways to send an event",
    copy: "Copy",
    copied: "Copied",
    hide: "Dismiss",
    test: "Send test event",
    sending: "Sending the test event",
    waiting: "Accepted. Waiting for it to appear in the list",
    arrived: "The test event has arrived.",
    late: "The test event was accepted but has not appeared within a minute. It is not lost: check again later.",
    show: "Show event",
    credential: "Ask the operators of auditlane for a token or key. Keep it in your service, never in a web page.",
  },
};
