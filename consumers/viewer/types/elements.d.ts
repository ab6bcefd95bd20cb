/** The public types of the elements. Everything else in the package is internal. */

export interface AuditEvent {
  event_id: string;
  tenant_id: string;
  /** RFC 3339 in UTC, with microseconds. */
  occurred_at: string;
  action: string;
  actor_id: string;
  actor_type: string;
  actor_name: string | null;
  on_behalf_of: string | null;
  resource: string;
  resource_id: string | null;
  outcome: "unknown" | "success" | "failure" | "denied";
  severity: "Info" | "Low" | "Medium" | "High" | "Critical" | "Error";
  description: string | null;
  ip: string | null;
  /** ISO 3166-1 code of the country of `ip`, if the service knows it. */
  ip_country?: string | null;
  user_agent: string | null;
  request_id: string | null;
  /** JSON text as the sender wrote it. */
  before: string | null;
  after: string | null;
  source: string;
  metadata: Record<string, string>;
  fields: Record<string, string>;
  ingested_at: string;
  provenance: "gateway" | "kafka";
  provenance_id: string;
  content_hash: string;
  /** Whether another event has the same id and time but different content. */
  conflict: boolean;
}

/** A failed request: RFC 9457 problem details with the service's codes. */
export interface Problem extends Error {
  /** The HTTP status, or 0 if there was no response. */
  readonly status: number;
  /** The service's stable code, or OFFLINE, UNREACHABLE, ABORTED, UNREADABLE. */
  readonly code: string;
  readonly detail: string;
  readonly fix: string;
  readonly requestId: string;
}

/** The event that the reader opens. */
export interface OpenDetail {
  event: AuditEvent;
}

/** The search that the reader sees, in the form of the attributes. */
export interface QueryDetail {
  query: string;
  range: string;
}

/** The saved data structure. */
export interface SavedDetail {
  tenant: string | null;
  revision: number;
  enabled: boolean | null;
}

/** The attributes and properties that both elements have. */
export interface ElementProperties {
  /** The URL of the service; empty for the page's own origin. */
  baseUrl: string;
  /** A viewer token. */
  token: string;
  /** The tenant, for an environment-wide token. */
  tenant: string;
  theme: "auto" | "light" | "dark";
}

/** Text, which is never HTML, or a new node; null or undefined for what the viewer renders itself. */
export type Rendered = Node | string | null | undefined;

export interface ViewerProperties extends ElementProperties {
  /** Keeps the view in the page's address. */
  address: boolean;
  signInUrl: string;
  hideFirstUse: boolean;
  pageKeys: boolean;
  /** The search, in the query language, until the reader changes it. */
  query: string;
  /** A preset such as `7d`, or `FROM..TO`, until the reader changes it. */
  range: string;
  /** The names of the columns, separated by spaces or commas, for readers who have not chosen their own. */
  columns: string;
  density: "" | "comfortable" | "compact";
  /** What is left out: title, search, tiles, histogram, refresh, live, columns, copy-link, save-view, views, download, settings. */
  hide: string;
  /** The locale of dates and numbers, such as `en-GB`. */
  locale: string;
  /** Replacements of interface texts, by path. */
  texts: Record<string, string>;
  /** Renders a cell of the table. `field` is the column's name; `value` is null if the event has none. */
  renderCell: ((field: string, value: string | null, event: AuditEvent) => Rendered) | null;
  /** Renders the heading of an event's details. */
  renderHeading: ((event: AuditEvent) => Rendered) | null;
}

export interface AuditlaneViewerEvents {
  /** There is no token, or it has expired: set `token`. */
  "token-expired": CustomEvent<null>;
  /** The log can be read. */
  "auditlane-ready": CustomEvent<null>;
  /** The log cannot be read. */
  "auditlane-problem": CustomEvent<Problem>;
  /** The reader opens an event; `preventDefault()` keeps the details closed. */
  "auditlane-open": CustomEvent<OpenDetail>;
  /** The search or the time range has changed. */
  "auditlane-query": CustomEvent<QueryDetail>;
}

export interface AuditlaneSettingsEvents {
  "token-expired": CustomEvent<null>;
  "auditlane-problem": CustomEvent<Problem>;
  /** A change was saved. */
  "auditlane-saved": CustomEvent<SavedDetail>;
}

interface ViewerEventMap extends HTMLElementEventMap, AuditlaneViewerEvents {}
interface SettingsEventMap extends HTMLElementEventMap, AuditlaneSettingsEvents {}

/** `<auditlane-viewer>`: a tenant's audit log. */
export class AuditlaneViewer extends HTMLElement implements ViewerProperties {
  baseUrl: string;
  token: string;
  tenant: string;
  theme: "auto" | "light" | "dark";
  address: boolean;
  signInUrl: string;
  hideFirstUse: boolean;
  pageKeys: boolean;
  query: string;
  range: string;
  columns: string;
  density: "" | "comfortable" | "compact";
  hide: string;
  locale: string;
  texts: Record<string, string>;
  renderCell: ((field: string, value: string | null, event: AuditEvent) => Rendered) | null;
  renderHeading: ((event: AuditEvent) => Rendered) | null;
  /** Loads everything again. */
  open(): Promise<void>;
  addEventListener<K extends keyof ViewerEventMap>(
    type: K,
    listener: (this: AuditlaneViewer, event: ViewerEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof ViewerEventMap>(
    type: K,
    listener: (this: AuditlaneViewer, event: ViewerEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}

/** `<auditlane-settings>`: the switch and the data structure of a tenant. */
export class AuditlaneSettings extends HTMLElement implements ElementProperties {
  baseUrl: string;
  token: string;
  tenant: string;
  theme: "auto" | "light" | "dark";
  /** Resolves to whether the user may leave; asks about unsaved changes. */
  mayLeave(): Promise<boolean>;
  addEventListener<K extends keyof SettingsEventMap>(
    type: K,
    listener: (this: AuditlaneSettings, event: SettingsEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  removeEventListener<K extends keyof SettingsEventMap>(
    type: K,
    listener: (this: AuditlaneSettings, event: SettingsEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | EventListenerOptions): void;
}
