/** The state shared by the viewer's elements: the session, the data structure, the view and the texts. */
import { createContext } from "@lit/context";

import { readActions } from "../api/actions.js";
import { Client, type Endpoint, type QueryParams } from "../api/client.js";
import { Problem } from "../api/problem.js";
import type { SavedView } from "../api/saved-views.js";
import type { Permission, Session, ShownField, ShownStructure } from "../api/types.js";
import { LazyImports } from "../elements/lazy-import.js";
import type { Texts } from "../i18n/en/index.js";
import { type Language, textsOf } from "../i18n/index.js";
import { Catalogue, NO_ACTIONS } from "../model/catalogue.js";
import { columnFields, shownColumns } from "../model/columns.js";
import { fieldLabel } from "../model/labels.js";
import { type Density, type HostOptions, NO_OPTIONS } from "../model/host-options.js";
import { type Preferences, PreferenceStore } from "../model/preferences.js";
import { EXCLUDE_OWN_EVENTS, OWN_TENANT } from "../model/query.js";
import { rangeParams } from "../model/range.js";
import { viewOf } from "../model/saved-view.js";
import { DEFAULT_SORT, DEFAULT_VIEW, type View } from "../model/view.js";
import { localZone } from "../model/zone.js";
import { Failures } from "./failures.js";
import { LiveStream } from "./live-stream.js";
import { listParams, Prefetch } from "./prefetch.js";
import { SavedViews } from "./saved-views.js";

export type Phase = "loading" | "ready" | "failed";

/** The credential is no longer valid. The shown data stays, but nothing new can be loaded. */
const AUTH_CODES = new Set(["TOKEN_EXPIRED", "UNAUTHENTICATED"]);
/** There was no response. */
const NETWORK_CODES = new Set(["OFFLINE", "UNREACHABLE"]);

/** Text in the search box that has not been applied. It is checked only once, however often the check is requested. */
export class QueryDraft {
  private result: Promise<boolean> | null = null;

  /** `mayApply` resolves to whether a text can be applied. */
  constructor(
    readonly text: string,
    private readonly mayApply: (text: string) => Promise<boolean>,
  ) {}

  check(): Promise<boolean> {
    return (this.result ??= this.mayApply(this.text));
  }

  with(text: string): QueryDraft {
    return text === this.text ? this : new QueryDraft(text, this.mayApply);
  }
}

/**
 * The state of one viewer.
 *
 * Elements render it again after each `change` event, change the view only with `setView`, and send their own requests
 * with `client` and `filter()`. Dispatches `view-change` after `setView`, and `address-change` when the address changes
 * without a new history entry, because of the zone or the view in a link.
 */
export class ViewerState extends EventTarget {
  phase: Phase = "loading";
  problem: Problem | null = null;
  session: Session | null = null;
  structure: ShownStructure | null = null;
  /** The known actions with their labels. There are none if they cannot be read. */
  actions = NO_ACTIONS;
  view: View = DEFAULT_VIEW;
  /** The text in the search box if it differs from the query of the view. Usually null. */
  draft: QueryDraft | null = null;
  /** The invalid time parameters in the address, until a time is chosen. Usually "". */
  invalidRange = "";
  /** The zone in the link that opened the page, until the user chooses one. Usually "". */
  linkedZone = "";
  /** Whether the address of the page contains the view, so that links to it can be shared. */
  usesAddress = false;
  /** The host page's options. A reader's own choice of columns and row height takes precedence. */
  host = NO_OPTIONS;
  /** The host's sign-in page, for readers without a valid session. "" if the host has set none. */
  signInUrl = "";
  /** The end of the reader's previous visit, in ms since 1970. Null during the first visit. */
  newSince: number | null = null;
  /**
   * The time, in ms since 1970, from which presets count back. It is the same for all elements, and is updated by
   * `setView` and `refresh`.
   */
  asOf = Date.now();
  /** Incremented by `refresh`, after which elements request everything again. */
  refreshCount = 0;
  /** Incremented by `recount` and `refresh`, after which elements request their counts again. */
  recountCount = 0;
  preferences: Preferences;
  client: Client;
  /** Whether the last request failed without a response. */
  offline = false;
  /** Whether the network works while `offline` is true, so that the service must be the cause. */
  unreachable = false;
  /** Why the credential is no longer valid. Null while it is valid. */
  authProblem: Problem | null = null;
  /** Whether no event has been sent yet, apart from auditlane's own. Null while unknown. */
  unused: boolean | null = null;

  readonly lazyImports = new LazyImports(() => this.reachesService());
  readonly prefetch = new Prefetch();
  readonly failures = new Failures(() => this.notify());
  readonly liveStream = new LiveStream(this);
  readonly savedViews = new SavedViews(() => this.notify());

  private readonly preferenceStore: PreferenceStore;
  private labelled: { structure: ShownStructure | null; text: Texts | null; fields: readonly ShownField[] } = {
    structure: null,
    text: null,
    fields: [],
  };

  constructor(
    endpoint: Endpoint,
    renew: () => Promise<string>,
    public language: Language,
    public text: Texts,
  ) {
    super();
    this.client = new Client(endpoint, renew, (problem) => this.onResult(problem));
    this.preferenceStore = new PreferenceStore("", "");
    this.preferences = this.preferenceStore.read();
  }

  static async open(endpoint: Endpoint, renew: () => Promise<string>, language: Language, host: HostOptions): Promise<ViewerState> {
    const viewer = new ViewerState(endpoint, renew, language, await hostTexts(language, host));
    viewer.host = host;
    return viewer;
  }

  /** Loads the session and the structure. Never rejects, but sets `problem` on failure. */
  async load(): Promise<void> {
    this.phase = "loading";
    this.problem = null;
    this.notify();
    if (!this.savedViews.linked) this.prefetch.start(this.client, listParams(this.filter(), this.view.sort));
    await this.reload();
  }

  /** Loads the same data as `load` without hiding what is shown, as after a change to the settings. */
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
      const views = this.savedViews.load(this.client);
      const actions = readActions(this.client, tenant).catch(() => null);
      this.structure = await this.client.json<ShownStructure>(`/v1/tenants/${encodeURIComponent(tenant)}/structure`);
      const known = await actions;
      if (known) this.actions = new Catalogue(known.actions, this.language, known.grammar);
      await views;
      this.showLinkedView();
      this.view = this.withKnownSort(this.view);
      this.problem = null;
      this.phase = "ready";
    } catch (cause) {
      this.problem = Problem.from(cause);
      this.phase = "failed";
    }
    this.notify();
  }

  /**
   * Resolves to whether the token belongs to the same user and tenant. Only then may the shown data stay. Rejects with
   * Problem.
   */
  async verifyToken(token: string): Promise<boolean> {
    const next = await this.client.withToken(token).json<Session>("/v1/session");
    const same = !this.session || (next.tenant === this.session.tenant && next.user === this.session.user);
    if (same && this.session) this.session = next;
    return same;
  }

  /** Reads the session again, since it may have been renewed. If it was replaced by another reader's, everything is loaded again. */
  async checkSession(): Promise<void> {
    const next = await this.client.json<Session>("/v1/session").catch(() => null);
    if (!next) return; // reported by `authProblem`
    const same = next.tenant === this.session?.tenant && next.user === this.session?.user;
    this.session = next;
    if (same) this.notify();
    else await this.load();
  }

  /** Continues with a verified token. */
  setToken(token: string): void {
    this.client.setToken(token);
    const hadExpired = this.authProblem !== null;
    this.authProblem = null;
    if (hadExpired) this.retry();
    else this.notify();
  }

  /** Marks events after this time (ms since 1970) as new. Null means that none are marked. */
  setNewSince(time: number | null): void {
    this.newSince = time;
    this.notify();
  }

  setSignInUrl(url: string): void {
    this.signInUrl = url;
    this.notify();
  }

  /** Changes only the texts, the formats and the options of the host page. */
  async setLanguage(language: Language, host: HostOptions): Promise<void> {
    const text = await hostTexts(language, host);
    this.host = host;
    this.language = language;
    this.text = text;
    this.actions = this.actions.in(language);
    this.notify();
  }

  /** Sets `unused`, and resolves to its value. Rejects with Problem. */
  async checkUnused(): Promise<boolean> {
    const found = await this.client.json<{ data: unknown[] }>("/v1/events", {
      params: [["limit", "1"], ["query", EXCLUDE_OWN_EVENTS]],
    });
    this.unused = found.data.length === 0 && this.tenant !== OWN_TENANT;
    this.notify();
    return this.unused;
  }

  get tenant(): string {
    return this.session?.tenant ?? "";
  }

  /** Whether the user may change anything in the settings. */
  get canOpenSettings(): boolean {
    return this.can("audits:configure") || this.can("audits:contract");
  }

  can(permission: Permission): boolean {
    return this.session?.permissions.includes(permission) ?? false;
  }

  /** The time zone for displayed times, an IANA name. */
  get zone(): string {
    return this.chosenZone || localZone();
  }

  /** The zone in the link, or else the one that the user has chosen. "" for the browser's. */
  get chosenZone(): string {
    return this.linkedZone || this.preferences.zone;
  }

  /** Shows times in a zone (IANA) from now on, also in links. "" means the browser's zone. */
  setZone(zone: string): void {
    this.linkedZone = "";
    this.setPreferences({ zone });
    this.dispatchEvent(new Event("address-change"));
  }

  /** The tenant's fields in order, with custom labels or translated default labels. */
  get fields(): readonly ShownField[] {
    const { structure, text } = this;
    if (this.labelled.structure !== structure || this.labelled.text !== text) {
      const fields = (structure?.fields ?? []).map((field) => ({ ...field, displayName: fieldLabel(field, text) }));
      this.labelled = { structure, text, fields };
    }
    return this.labelled.fields;
  }

  /** The fields, and the columns that are not fields: the sentence, and chosen metadata keys. */
  get columnFields(): readonly ShownField[] {
    return columnFields(this.fields, this.chosenColumns, this.text.reading.columns.sentence);
  }

  /** The columns chosen by a link, the reader or the host, in order. Null means the tenant's choice. */
  get chosenColumns(): string[] | null {
    return this.view.columns ?? this.preferences.columns ?? this.host.columns;
  }

  get density(): Density {
    return this.preferences.density ?? this.host.density;
  }

  /** The names of the shown columns, in order, with the pinned ones first. */
  get columnNames(): string[] {
    return shownColumns(this.columnFields, this.chosenColumns, this.preferences.pinned);
  }

  /** Returns the view as request parameters for lists, summaries and exports, without order and limit. */
  filter(): QueryParams {
    const query: QueryParams = this.view.query.trim() ? [["query", this.view.query.trim()]] : [];
    return [...query, ...this.accessParams, ...rangeParams(this.view.range, this.asOf)];
  }

  /** The parameters that include auditlane's own events about access to the log, if the user wants to see them. */
  get accessParams(): QueryParams {
    return this.preferences.access ? [["include_access", "true"]] : [];
  }

  /** Changes the view, and the address with it. A new query replaces the text in the search box. */
  setView(changes: Partial<View>): void {
    if ("query" in changes) this.draft = null;
    if ("range" in changes) this.invalidRange = "";
    const listChanged = (["query", "range", "sort"] as const).some((name) => name in changes && changes[name] !== this.view[name]);
    const { saved = this.view.saved } = changes;
    if (saved !== this.view.saved) this.linkedZone = this.savedViews.find(saved)?.tz ?? "";
    this.view = this.withKnownSort({ ...this.view, ...changes });
    if (listChanged) this.asOf = Date.now();
    this.notify();
    this.dispatchEvent(new Event("view-change"));
  }

  /**
   * Changes the search, and also applies the text in the search box.
   *
   * If that text is invalid, it stays in the box, and the query that the list shows is changed instead. `change`
   * returns the changes for a query.
   */
  async changeSearch(change: (query: string) => Partial<View>): Promise<void> {
    const { draft } = this;
    const valid = draft !== null && (await draft.check());
    if (draft !== this.draft) return this.changeSearch(change); // the draft was applied or edited in the meantime
    if (draft && valid) return this.setView(change(draft.text));
    this.setView(change(this.view.query));
    if (draft) this.draft = draft.with(change(draft.text).query ?? draft.text);
  }

  /** Requests everything in the view again. */
  refresh(): void {
    this.refreshCount += 1;
    this.recount();
  }

  /** Requests the numbers and the chart again, but not the list, since more events have arrived. */
  recount(): void {
    this.asOf = Date.now();
    this.recountCount += 1;
    this.notify();
  }

  /** Retries all failed requests, or refreshes everything if none has failed. */
  retry(): void {
    if (!this.failures.first) return this.refresh();
    this.asOf = Date.now();
    this.failures.retryAll();
    this.notify();
  }

  /** Shows a saved view, or all events if it is null. */
  openView(saved: SavedView | null): void {
    this.linkedZone = saved?.tz ?? "";
    this.setView(saved ? viewOf(saved) : DEFAULT_VIEW);
  }

  /** The saved view that the reader started from, or null. */
  get savedView(): SavedView | null {
    return this.savedViews.find(this.view.saved);
  }

  /** Changes the user's preferences, which are kept in this browser. The columns of a saved view belong to the view. */
  setPreferences(changes: Partial<Preferences>): void {
    const { columns = null, ...others } = changes;
    const ofView = "columns" in changes && this.savedView !== null;
    this.preferences = { ...this.preferences, ...(ofView ? others : changes) };
    this.preferenceStore.write(this.preferences);
    if (ofView) return this.setView({ columns });
    if ("columns" in changes && this.view.columns) return this.setView({ columns: null }); // replaces a link's columns
    this.notify();
  }

  /** Shows or hides auditlane's own events about access to the log, everywhere in the view. */
  showAccess(access: boolean): void {
    this.setPreferences({ access });
    this.refresh();
  }

  /** Shows the view in the link to the page. Throws a problem if the view cannot be determined. */
  private showLinkedView(): void {
    const { savedViews } = this;
    if (savedViews.linked && savedViews.problem) throw savedViews.problem;
    if (!savedViews.linked) {
      if (!savedViews.problem && !this.savedView) this.view = { ...this.view, saved: "" }; // another reader's own view
      return;
    }
    const saved = savedViews.takeLinked();
    this.view = saved ? { ...viewOf(saved), settings: this.view.settings } : { ...this.view, saved: "" };
    this.linkedZone = saved?.tz ?? this.linkedZone;
    this.dispatchEvent(new Event("address-change"));
  }

  /** Resolves to whether the service responds. Sends no request while it is known not to. */
  private async reachesService(): Promise<boolean> {
    if (!this.offline) await this.client.json("/v1/session").catch(() => {});
    return !this.offline;
  }

  /** Updates the connection and sign-in status after each request. */
  private onResult(problem: Problem | null): void {
    const wasOffline = this.offline;
    const hadExpired = this.authProblem !== null;
    this.offline = problem !== null && NETWORK_CODES.has(problem.code);
    if (this.offline) this.unreachable = problem?.code === "UNREACHABLE";
    if (!problem) this.authProblem = null;
    else if (this.phase === "ready" && AUTH_CODES.has(problem.code)) this.authProblem = problem;
    else if (this.phase === "ready" && problem.code === "AUDIT_LOGS_DISABLED") {
      this.problem = problem;
      this.phase = "failed";
    }
    if (!problem) this.lazyImports.reconnected();
    const recovered = !problem && (wasOffline || hadExpired);
    if (recovered && this.phase === "ready") queueMicrotask(() => this.retry()); // retries requests that failed in the meantime
    else if (problem || recovered) this.notify();
  }

  /** Falls back to the default order if the address names an unknown one. */
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

async function hostTexts(language: Language, host: HostOptions): Promise<Texts> {
  if (!Object.keys(host.texts).length) return await textsOf(language);
  const { withTexts } = await import("../model/host-attributes.js");
  return withTexts(await textsOf(language), host.texts);
}

export const viewerContext = createContext<ViewerState>(Symbol("auditlane-viewer"));
