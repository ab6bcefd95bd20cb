/** The part of the settings' state that is read from the service, and the user's permissions. */
import { type CatalogueVersion, readActions } from "../api/actions.js";
import { Client, type Endpoint } from "../api/client.js";
import { Problem } from "../api/problem.js";
import { type Contract, type Revision, StructureApi, type StructureVersion } from "../api/structure.js";
import type { AuditEvent, EventPage, Session } from "../api/types.js";
import { LazyImports } from "../elements/lazy-import.js";
import type { Language } from "../i18n/index.js";
import { type SettingsTexts, settingsTextsOf } from "../i18n/settings.js";
import { Catalogue } from "../model/catalogue.js";
import { localeOf } from "../model/format/locale.js";
import { PreferenceStore } from "../model/preferences.js";
import { changesOf, type Draft, draftOf } from "../model/structure/draft.js";
import type { MergeResult, RemoteChanges } from "../model/structure/merge.js";
import { localZone } from "../model/zone.js";
import { cellContext, type CellContext } from "../viewer/table/cells.js";

export type Phase = "loading" | "ready" | "failed";

/** What another user has saved since `loaded` was read. */
export interface Conflict {
  latest: StructureVersion;
  remote: RemoteChanges;
  merged: MergeResult;
  /** The revisions since `loaded`; empty if they cannot be read. */
  revisions: Revision[];
}

const SAMPLE_EVENTS = 3;

/** Dispatches `change` after any change to its state. */
export class LoadedSettings extends EventTarget {
  phase: Phase = "loading";
  /** Why loading failed. */
  problem: Problem | null = null;
  session: Session | null = null;
  loaded: StructureVersion | null = null;
  draft: Draft | null = null;
  contract: Contract | null = null;
  contractProblem: Problem | null = null;
  /** The known actions with their labels; null while loading or if they cannot be read. */
  catalogue: CatalogueVersion | null = null;
  catalogueProblem: Problem | null = null;
  conflict: Conflict | null = null;
  /** Why the last change was not saved. */
  saveProblem: Problem | null = null;
  busy = false;
  /** Screen readers announce this when it changes. */
  announcement = "";
  /** Whether the draft was just saved and has not been edited since. */
  justSaved = false;
  /** The newest events, for the preview; empty if the user may not read them. */
  sample: readonly AuditEvent[] = [];

  readonly client: Client;
  readonly lazyImports = new LazyImports(() => this.reachesService());
  private readonly requestedTenant: string;
  private structureApi: StructureApi | null = null;

  protected constructor(
    endpoint: Endpoint,
    renew: () => Promise<string>,
    public language: Language,
    public text: SettingsTexts,
  ) {
    super();
    this.client = new Client(endpoint, renew, (problem) => problem || this.lazyImports.reconnected());
    this.requestedTenant = endpoint.tenant;
  }

  /** The tenant; null for the environment. */
  get tenant(): string | null {
    return this.structureApi?.tenant ?? null;
  }

  /** Whether the user may change how fields are shown, and the switch. */
  get canConfigure(): boolean {
    return this.session?.permissions.includes("audits:configure") ?? false;
  }

  /** Whether the user may change which fields exist, their types and rules. */
  get canEditContract(): boolean {
    return this.session?.permissions.includes("audits:contract") ?? false;
  }

  /** The context for formatting cells as in the user's table. */
  get cellContext(): CellContext {
    const { zone, relativeTimes } = new PreferenceStore(this.tenant ?? "", this.session?.user ?? "").read();
    const actions = new Catalogue(this.catalogue?.actions ?? [], this.language);
    return cellContext(this.text, localeOf(this.language), zone || localZone(), actions, relativeTimes);
  }

  get unsaved(): boolean {
    return this.draft !== null && changesOf(this.draft).length > 0;
  }

  /** Reads everything. Never rejects; a failure is `problem`. */
  async load(): Promise<void> {
    this.phase = "loading";
    this.problem = null;
    this.conflict = null;
    this.saveProblem = null;
    this.notify();
    try {
      this.session = await this.client.json<Session>("/v1/session");
      const tenant = this.requestedTenant || this.session.tenant;
      const canRead = tenant !== null && this.session.permissions.includes("audits:read");
      if (!canRead && !this.canConfigure) throw new Problem(403, "FORBIDDEN", "");
      this.structureApi = new StructureApi(this.client, tenant);
      this.loaded = await this.structureApi.read();
      this.draft = draftOf(this.loaded.structure);
      this.phase = "ready";
      void this.readContract();
      void this.readCatalogue();
      void this.readSample();
    } catch (cause) {
      this.problem = Problem.from(cause);
      this.phase = "failed";
    }
    this.notify();
  }

  private async reachesService(): Promise<boolean> {
    const problem = await this.client.json("/v1/session").then(() => null, Problem.from);
    return !problem || problem.status > 0;
  }

  /** Reads the fields' types and rules from the schema registry. */
  async readContract(): Promise<void> {
    this.contractProblem = null;
    try {
      this.contract = await this.api.contract();
    } catch (cause) {
      this.contractProblem = Problem.from(cause);
    }
    this.notify();
  }

  /** Reads the known actions. */
  async readCatalogue(): Promise<void> {
    this.catalogueProblem = null;
    try {
      this.catalogue = await readActions(this.client, this.tenant);
    } catch (cause) {
      this.catalogueProblem = Problem.from(cause);
    }
    this.notify();
  }

  private async readSample(): Promise<void> {
    const canRead = this.session?.permissions.includes("audits:read") && this.loaded?.structure.effectiveEnabled;
    if (!canRead || this.tenant === null) return;
    const page = await this.client.json<EventPage>("/v1/events", { params: [["limit", String(SAMPLE_EVENTS)]] }).catch(() => null);
    this.sample = page?.data ?? [];
    this.notify();
  }

  async setLanguage(language: Language): Promise<void> {
    const text = await settingsTextsOf(language);
    this.language = language;
    this.text = text;
    this.notify();
  }

  /**
   * Resolves to whether the token belongs to the same user and tenant, since only then may the shown data stay. Rejects
   * with Problem.
   */
  async verifyToken(token: string): Promise<boolean> {
    const next = await this.client.withToken(token).json<Session>("/v1/session");
    return !this.session || (next.tenant === this.session.tenant && next.user === this.session.user);
  }

  setToken(token: string): void {
    this.client.setToken(token);
    if (this.phase === "failed") void this.load();
  }

  protected get api(): StructureApi {
    return this.structureApi as StructureApi;
  }

  protected notify(): void {
    this.dispatchEvent(new Event("change"));
  }
}
