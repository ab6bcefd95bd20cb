/** The service's response bodies, as in its OpenAPI document. */

export type Severity = "Info" | "Low" | "Medium" | "High" | "Critical" | "Error";
export type Outcome = "unknown" | "success" | "failure" | "denied";
export type Provenance = "gateway" | "kafka";
export type Permission = "audits:read" | "audits:export" | "audits:configure" | "audits:contract" | "audits:write" | "audits:admin";

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
  outcome: Outcome;
  severity: Severity;
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
  /** How the event was received; set by the service. */
  provenance: Provenance;
  /** The client's id, or the topic's name. */
  provenance_id: string;
  /** The hash of everything set by the sender. */
  content_hash: string;
  /** Whether another event has the same id and time but different content. */
  conflict: boolean;
}

export interface EventPage {
  data: AuditEvent[];
  /** Cursors of the following and the preceding page. */
  next: string | null;
  prev: string | null;
  /** The time that a long search had reached when it ended before the page was full. */
  searched_to?: string | null;
}

export interface Count {
  value: string | null;
  events: number;
}

export interface Facet {
  field: string;
  data: Count[];
}

export interface Bucket {
  start: string;
  end: string;
  events: number;
}

export interface Histogram {
  interval: string;
  tz: string;
  events: number;
  data: Bucket[];
}

/** The time from `start` (inclusive) to `end` (exclusive). */
export interface Span {
  start: string;
  end: string;
}

export interface Group {
  events: number;
  /** The number of events in the preceding period, or null without a comparison. */
  before: number | null;
  /** The number of events in each bucket. */
  counts: number[];
  /** The query for these events, or null if it would be too long. */
  query: string | null;
}

/** Events by the values of a field. Each event is in one group of `data`, in `others` or in `none`. */
export interface Groups {
  field: string;
  tz: string;
  interval: string;
  events: number;
  before: (Span & { events: number }) | null;
  /** The numbers of all distinct values, of those that occur only in the period, and of those that occur only in the preceding one. */
  values: number;
  new: number | null;
  vanished: number | null;
  buckets: Span[];
  data: (Group & { value: string })[];
  others: Group;
  none: Group;
}

export interface Stats {
  tz: string;
  today: number;
  events: number;
  severe: number;
  /** The preceding period, or null without a comparison. */
  before: (Span & { events: number; severe: number }) | null;
  actions: Count[];
  actors: Count[];
}

export type DisplayType =
  | "Timestamp"
  | "Email"
  | "AlphaNumeric"
  | "IpAddress"
  | "Severity"
  | "Json"
  | "Number"
  | "Boolean";

export interface ShownField {
  name: string;
  displayName: string;
  displayType: DisplayType;
  sortable: boolean;
  filterable: boolean;
  showInTable: boolean;
  showInMoreInfo: boolean;
  downloadable: boolean;
  order: number;
  custom: boolean;
  /** The field's name in a filter: `action`, `fields.order_number`. */
  parameter: string;
  origin: "default" | "environment" | "tenant";
  /** For `resource`: link templates to the host's pages, by resource type. */
  links?: Record<string, string>;
}

export interface ShownStructure {
  tenant: string | null;
  revision: number;
  enabled: boolean | null;
  effectiveEnabled: boolean;
  fields: ShownField[];
  removed: ShownField[];
  changedBy: string;
  changedAt: string | null;
}

/** The body of `GET /v1/session`: the credential's owner and permissions. */
export interface Session {
  /** Null for an environment-wide credential if no tenant is named. */
  tenant: string | null;
  user: string;
  permissions: Permission[];
  /** The filters that limit the credential to a part of the log, by name. Null for the whole log. */
  filter: Record<string, string[]> | null;
  expires_at: string | null;
  /** Whether an operator views a tenant's log from the console. */
  from_console: boolean;
  audit_logs_enabled: boolean;
}

/** The reader's last complete download of a search, and how many matching events have been added since. */
export interface LastDownload {
  at: string | null;
  events: number;
}

export type ExportFormat = "csv" | "xlsx" | "jsonl" | "parquet" | "pdf" | "ocsf";

/** An export that is created in the background. */
export interface ExportJob {
  id: string;
  state: "queued" | "running" | "done" | "failed" | "cancelled";
  format: ExportFormat;
  columns: string[];
  /** The number of rows in the file so far; `total` matched when the export was requested. */
  rows: number;
  total: number;
  bytes: number;
  created_at: string;
  created_by: string;
  ended_at: string | null;
  /** When the file is deleted. */
  expires_at: string | null;
  error: { code: string; message: string; fix: string } | null;
  /** A link to the file, valid for 15 minutes. Null until the export is done. */
  url: string | null;
}
