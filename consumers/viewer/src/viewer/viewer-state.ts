/** What all parts of the viewer share: whose log it is, its data structure, what is looked at, and the words for it. */
import { createContext } from "@lit/context";

import { Client, type QueryParams, type Endpoint } from "../api/client.js";
import { Problem } from "../api/problem.js";
import type { Permission, Session, ShownField, ShownStructure } from "../api/types.js";
import { LazyImports } from "../elements/lazy-import.js";
import { type Language, textsOf } from "../i18n/index.js";
import type { Texts } from "../i18n/en/index.js";
import { fieldLabel } from "../model/labels.js";
import { EXCLUDE_OWN_EVENTS } from "../model/query.js";
import { rangeParams } from "../model/range.js";
import { type Preferences, PreferenceStore } from "../model/preferences.js";
import { DEFAULT_SORT, DEFAULT_VIEW, type View } from "../model/view.js";
import { localZone } from "../model/zone.js";
import { Prefetch, listParams } from "./prefetch.js";
import { Failures } from "./failures.js";
import { LiveStream } from "./live-stream.js";

export type Phase = "loading" | "ready" | "failed";

/** The credential counts no longer: what is shown stays, nothing new can be had. */
const AUTH_CODES = new Set(["TOKEN_EXPIRED", "UNAUTHENTICATED"]);
/** No answer came at all. */
const NETWORK_CODES = new Set(["OFFLINE", "UNREACHABLE"]);

/**
 * The state of one viewer. Parts listen to its event `change` and read; they change what is looked at with `look`, and
 * nothing else. Requests are the parts' own, with `client` and `filter()`.
 */
export class ViewerState extends EventTarget {
  phase: Phase = "loading";
  problem: Problem | null = null;
  session: Session | null = null;
  structure: ShownStructure | null = null;
  view: View = DEFAULT_VIEW;
  /** What the address says of the time that is no time, until a time is chosen; "" mostly. */
  invalidRange = "";
  /** The page's address says what is looked at, so that links to it can be given. */
  usesAddress = false;
  /** Ms since 1970 that presets count back from; moves with every `look` and `refresh`, so that all parts ask alike. */
  asOf = Date.now();
  /** Grows with `refresh`: ask again. */
  refreshCount = 0;
  /** Grows with `recount`, and with `refresh`: count again. */
  recountCount = 0;
  preferences: Preferences;
  client: Client;
  /** The last request found no network, or no service. */
  offline = false;
  /** While `offline`: there is a network, so that it is the service. */
  unreachable = false;
  /** Why the credential counts no longer; null while it does. */
  authProblem: Problem | null = null;
  /** Nobody has sent an event yet, other than auditlane itself; null while that is not known. */
  unused: boolean | null = null;

  readonly lazyImports = new LazyImports();
  readonly prefetch = new Prefetch();
  readonly failures = new Failures(() => this.notify());
  readonly liveStream = new LiveStream(this);

  private readonly preferenceStore: PreferenceStore;
  private labelled: { structure: ShownStructure | null; text: Texts | null; fields: readonly ShownField[] } = {
    structure: null,
    text: null,
    fields: [],
  };

  constructor(
    place: Endpoint,
    renew: () => Promise<string>,
    public language: Language,
    public text: Texts,
  ) {
    super();
    this.client = new Client(place, renew, (problem) => this.onResult(problem));
    this.preferenceStore = new PreferenceStore("", "");
    this.preferences = this.preferenceStore.read();
  }

  static async open(place: Endpoint, renew: () => Promise<string>, language: Language): Promise<ViewerState> {
    return new ViewerState(place, renew, language, await textsOf(language));
  }

  /** Asks who we are and what the log looks like. Never rejects: what went wrong is `problem`. */
  async load(): Promise<void> {
    this.phase = "loading";
    this.problem = null;
    this.notify();
    this.prefetch.start(this.client, listParams(this.filter(), this.view.sort));
    await this.reload();
  }

  /** The same without taking away what is shown: after a change of the settings. */
  async reload(): Promise<void> {
    try {
      const session = await this.client.json<Session>("/v1/session");
      const tenant = session.tenant;
      if (!tenant) throw new Problem(400, "TENANT_NEEDED", "");
      this.session = session;
      this.preferences = this.preferencesOf(tenant, session.user);
      if (!this.canOpenSettings) this.view = { ...this.view, settings: false };
      if (!session.audit_logs_enabled) throw new Problem(403, "AUDIT_LOGS_DISABLED", "");
      if (!this.can("audits:read")) throw new Problem(403, "FORBIDDEN", "");
      this.structure = await this.client.json<ShownStructure>(`/v1/tenants/${encodeURIComponent(tenant)}/structure`);
      this.view = this.withKnownSort(this.view);
      this.problem = null;
      this.phase = "ready";
    } catch (cause) {
      this.problem = Problem.from(cause);
      this.phase = "failed";
    }
    this.notify();
  }

  /** Whether this token is the same person's in the same tenant; only then what is shown may stay. Rejects with Problem. */
  async verifyToken(token: string): Promise<boolean> {
    const next = await this.client.withToken(token).json<Session>("/v1/session");
    const same = !this.session || (next.tenant === this.session.tenant && next.user === this.session.user);
    if (same && this.session) this.session = next;
    return same;
  }

  /** Go on with this token, which was vouched for. */
  setToken(token: string): void {
    this.client.setToken(token);
    const waited = this.authProblem !== null;
    this.authProblem = null;
    if (waited) this.retry();
    else this.notify();
  }

  /** Other words, everything else as it is. */
  async setLanguage(language: Language): Promise<void> {
    const text = await textsOf(language);
    this.language = language;
    this.text = text;
    this.notify();
  }

  /** Finds out whether anybody has sent an event yet; `unused` says it. Rejects with Problem. */
  async checkUnused(): Promise<boolean> {
    const found = await this.client.json<{ data: unknown[] }>("/v1/events", {
      params: [["limit", "1"], ["query", EXCLUDE_OWN_EVENTS]],
    });
    this.unused = found.data.length === 0;
    this.notify();
    return this.unused;
  }

  get tenant(): string {
    return this.session?.tenant ?? "";
  }

  /** Whether anything in the settings is this person's to change. */
  get canOpenSettings(): boolean {
    return this.can("audits:configure") || this.can("audits:contract");
  }

  can(permission: Permission): boolean {
    return this.session?.permissions.includes(permission) ?? false;
  }

  /** The time zone that times are shown in: an IANA name. */
  get zone(): string {
    return this.preferences.utc ? "UTC" : localZone();
  }

  /** The tenant's fields in their order, under the names that somebody gave them, else under the language's own. */
  get fields(): readonly ShownField[] {
    const { structure, text } = this;
    if (this.labelled.structure !== structure || this.labelled.text !== text) {
      const fields = (structure?.fields ?? []).map((field) => ({ ...field, displayName: fieldLabel(field, text) }));
      this.labelled = { structure, text, fields };
    }
    return this.labelled.fields;
  }

  /** What the list, the summaries and exports are to be asked for: the view as parameters, without order and limit. */
  filter(): QueryParams {
    const query: QueryParams = this.view.query.trim() ? [["query", this.view.query.trim()]] : [];
    return [...query, ...rangeParams(this.view.range, this.asOf)];
  }

  /** Look at something else. The address follows. */
  setView(changes: Partial<View>): void {
    if ("range" in changes) this.invalidRange = "";
    const asksAnew = (["query", "range", "sort"] as const).some((name) => name in changes && changes[name] !== this.view[name]);
    this.view = this.withKnownSort({ ...this.view, ...changes });
    if (asksAnew) this.asOf = Date.now();
    this.notify();
    this.dispatchEvent(new Event("view-change"));
  }

  /** Ask again for what is looked at. */
  refresh(): void {
    this.refreshCount += 1;
    this.recount();
  }

  /** There are more events than were counted: ask for the numbers and the chart again, and leave the list as it is. */
  recount(): void {
    this.asOf = Date.now();
    this.recountCount += 1;
    this.notify();
  }

  /** Ask again for all that could not be had; for everything when that is not known to be anything. */
  retry(): void {
    if (!this.failures.first) return this.refresh();
    this.asOf = Date.now();
    this.failures.retryAll();
    this.notify();
  }

  /** What this person likes, kept in this browser. */
  setPreferences(what: Partial<Preferences>): void {
    this.preferences = { ...this.preferences, ...what };
    this.preferenceStore.write(this.preferences);
    this.notify();
  }

  /** What any request's end says of all that follow. */
  private onResult(problem: Problem | null): void {
    const wasOffline = this.offline;
    const hadEnded = this.authProblem !== null;
    this.offline = problem !== null && NETWORK_CODES.has(problem.code);
    if (this.offline) this.unreachable = problem?.code === "UNREACHABLE";
    if (!problem) this.authProblem = null;
    else if (this.phase === "ready" && AUTH_CODES.has(problem.code)) this.authProblem = problem;
    else if (this.phase === "ready" && problem.code === "AUDIT_LOGS_DISABLED") {
      this.problem = problem;
      this.phase = "failed";
    }
    const back = !problem && (wasOffline || hadEnded);
    if (back && this.phase === "ready") queueMicrotask(() => this.retry()); // what failed meanwhile is asked again
    else if (problem || back) this.notify();
  }

  /** An address may name an order that there is not. */
  private withKnownSort(view: View): View {
    const name = view.sort.replace(/^-/, "");
    const known = this.fields.some((field) => field.sortable && field.parameter === name);
    return known ? view : { ...view, sort: DEFAULT_SORT };
  }

  private preferencesOf(tenant: string, user: string): Preferences {
    this.preferenceStore.setOwner(tenant, user);
    return this.preferenceStore.read();
  }

  private notify(): void {
    this.dispatchEvent(new Event("change"));
  }
}

export const viewerContext = createContext<ViewerState>(Symbol("auditlane-viewer"));
