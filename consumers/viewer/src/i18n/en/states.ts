import type { ProblemKind } from "../../model/problem-kind.js";
import type { Preset } from "../../model/range.js";

const plural = new Intl.PluralRules("en");

export interface ProblemTexts {
  title: string;
  advice: string;
}

const problems: Record<ProblemKind, ProblemTexts> = {
  expired: { title: "Your session has ended", advice: "Reload the page, or open the log again from where you came." },
  signedOut: { title: "You are not signed in", advice: "Open the log again from where you came: its links work once." },
  forbidden: { title: "You may not see this", advice: "Ask whoever administers audit logs in your organisation." },
  otherTenant: { title: "This log belongs to somebody else", advice: "Your sign-in is for another organisation." },
  tenantNeeded: { title: "Which tenant?", advice: "The credential is for the whole environment: name a tenant." },
  disabled: {
    title: "Audit logs are switched off",
    advice: "Nothing can be viewed while they are. Events go on being recorded.",
  },
  offline: { title: "No connection", advice: "It goes on by itself as soon as the service can be reached." },
  unreachable: {
    title: "The service cannot be reached from this page",
    advice: "It does not answer, or does not allow this page. Whoever runs the page finds more in the browser’s console.",
  },
  limited: { title: "Too many requests at once", advice: "Others in your organisation are searching as well." },
  away: { title: "The log cannot be read right now", advice: "Nothing is lost. It usually works again in a moment." },
  tooLarge: { title: "That was too much to search", advice: "Choose a shorter time, or a narrower search." },
  notUnderstood: { title: "The search was not understood", advice: "Change it, or begin anew." },
  gone: { title: "This is not there", advice: "It may have been removed, or the link is not whole." },
  full: { title: "There are too many exports", advice: "Remove one that is no longer needed." },
  failed: { title: "Something went wrong", advice: "Try again. If it stays, tell your support the request id." },
};

export const states = {
  /** What the base fields are called where nobody gave them another name. */
  fields: {
    occurred_at: "Time",
    actor_name: "Actor",
    action: "Action",
    resource: "Resource",
    outcome: "Outcome",
    severity: "Severity",
    ip: "IP address",
    description: "Description",
    actor_id: "Actor id",
    actor_type: "Actor type",
    on_behalf_of: "On behalf of",
    resource_id: "Resource id",
    user_agent: "User agent",
    request_id: "Request id",
    source: "Source",
    before: "Before",
    after: "After",
    metadata: "Metadata",
    provenance: "Received through",
    provenance_id: "Client or topic",
  } as Record<string, string>,
  viewingAs: (tenant: string): string => `You are viewing as ${tenant}, as its people see it.`,
  toConsole: "Back to the console",
  heading: "Audit log",
  loading: "Loading",
  retry: "Try again",
  refresh: "Refresh",
  settings: "Settings",
  back: "Back to the log",
  switchOn: "Open the settings",
  retryIn: (seconds: string): string => `Trying again in ${seconds}.`,
  requestId: "Request id",
  problems,
  endedNotice: "Your session has ended. What you see stays; nothing new can be loaded.",
  offlineNotice: "No connection. What you see may be out of date; it goes on by itself.",
  unreachableNotice: "The service does not answer this page. What you see may be out of date; it is tried again by itself.",
  maybeOld: "What you see may be out of date.",
  missingPart: "A part of this page could not be loaded. If it stays so, the page is older than the service: reload it.",
  reload: "Reload the page",
  nothingMatches: "No event matches",
  youLookFor: "Search",
  inTime: "Time",
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
  capitals: "Capitals count. Did you mean:",
  countedEvents: (count: number, shown: string): string => `${shown} ${plural.select(count) === "one" ? "event" : "events"}`,
  clearFilters: "Clear the search",
  allTime: "Search all time",
  nothingYet: "No events yet",
  nothingYetAdvice: "As soon as one is sent, it is listed here.",
  first: {
    title: "Send the first event",
    lead: (tenant: string): string =>
      `“${tenant}” has not sent an event of its own yet. Put one of these into your service, or send a test event to see the way.`,
    ways: "Ways to send an event",
    copy: "Copy",
    copied: "Copied",
    hide: "Hide this",
    test: "Send a test event",
    sending: "Sending the test event",
    waiting: "It was taken. Waiting until it is in the list",
    arrived: "The test event has arrived.",
    late: "The test event was taken, but is not in the list after a minute. It is not lost: look again later.",
    show: "Show it",
    credential: "A token or key comes from whoever operates auditlane; it stays in your service and never in a page.",
  },
};
