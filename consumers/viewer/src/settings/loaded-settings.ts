/** What is read for the settings, and what is to be seen of them. */
import { Client, type Endpoint } from "../api/client.js";
import { Problem } from "../api/problem.js";
import { type Contract, type Revision, type StructureVersion, StructureApi } from "../api/structure.js";
import type { AuditEvent, EventPage, Session } from "../api/types.js";
import { type Language, textsOf } from "../i18n/index.js";
import type { Texts } from "../i18n/en/index.js";
import { localeOf } from "../model/format/locale.js";
import { PreferenceStore } from "../model/preferences.js";
import { changesOf, type Draft, draftOf } from "../model/structure/draft.js";
import type { RemoteChanges, MergeResult } from "../model/structure/merge.js";
import { localZone } from "../model/zone.js";
import { type CellContext, cellContext } from "../viewer/table/cells.js";

export type Phase = "loading" | "ready" | "failed";

/** Somebody else saved before us. */
export interface Conflict {
  seen: StructureVersion;
  theirs: RemoteChanges;
  merged: MergeResult;
  /** Theirs since ours, as far as they can be read. */
  revisions: Revision[];
}

const SAMPLE = 3; // events

/** Its event `change` says that anything is different. */
export class State extends EventTarget {
  phase: Phase = "loading";
  /** Why there is nothing to show. */
  problem: Problem | null = null;
  session: Session | null = null;
  seen: StructureVersion | null = null;
  draft: Draft | null = null;
  contract: Contract | null = null;
  contractProblem: Problem | null = null;
  conflict: Conflict | null = null;
  /** Why the last change was not taken. */
  refused: Problem | null = null;
  busy = false;
  /** For screen readers, when it changes. */
  said = "";
  /** The list was saved as it is now. */
  justSaved = false;
  /** The newest events, to show the table with; none where they cannot be read. */
  sample: readonly AuditEvent[] = [];

  readonly client: Client;
  private readonly named: string;
  private structures: StructureApi | null = null;

  protected constructor(
    place: Endpoint,
    renew: () => Promise<string>,
    public language: Language,
    public text: Texts,
  ) {
    super();
    this.client = new Client(place, renew);
    this.named = place.tenant;
  }

  /** Null is the environment. */
  get tenant(): string | null {
    return this.structures?.tenant ?? null;
  }

  /** How fields are shown, and the switch. */
  get mayChange(): boolean {
    return this.session?.permissions.includes("audits:configure") ?? false;
  }

  /** What an event must be: which fields there are, their types and rules. */
  get mayDecide(): boolean {
    return this.session?.permissions.includes("audits:contract") ?? false;
  }

  /** How this person's table shows events. */
  get reading(): CellContext {
    const { utc } = new PreferenceStore(this.tenant ?? "", this.session?.user ?? "").read();
    return cellContext(this.text, localeOf(this.language), utc ? "UTC" : localZone());
  }

  get unsaved(): boolean {
    return this.draft !== null && changesOf(this.draft).length > 0;
  }

  /** Reads everything. Never rejects: what went wrong is `problem`. */
  async load(): Promise<void> {
    Object.assign(this, { phase: "loading", problem: null, conflict: null, refused: null });
    this.changed();
    try {
      this.session = await this.client.json<Session>("/v1/session");
      const tenant = this.named || this.session.tenant;
      const mayLook = tenant !== null && this.session.permissions.includes("audits:read");
      if (!mayLook && !this.mayChange) throw new Problem(403, "FORBIDDEN", "");
      this.structures = new StructureApi(this.client, tenant);
      this.seen = await this.structures.read();
      this.draft = draftOf(this.seen.structure);
      this.phase = "ready";
      void this.readContract();
      void this.readSample();
    } catch (cause) {
      this.problem = Problem.from(cause);
      this.phase = "failed";
    }
    this.changed();
  }

  /** The fields' types and rules, which the schema registry has. */
  async readContract(): Promise<void> {
    this.contractProblem = null;
    try {
      this.contract = await this.at.contract();
    } catch (cause) {
      this.contractProblem = Problem.from(cause);
    }
    this.changed();
  }

  private async readSample(): Promise<void> {
    const mayRead = this.session?.permissions.includes("audits:read") && this.seen?.structure.effectiveEnabled;
    if (!mayRead || this.tenant === null) return;
    const page = await this.client.json<EventPage>("/v1/events", { params: [["limit", String(SAMPLE)]] }).catch(() => null);
    this.sample = page?.data ?? [];
    this.changed();
  }

  async speak(language: Language): Promise<void> {
    const text = await textsOf(language);
    Object.assign(this, { language, text });
    this.changed();
  }

  /** Whether this token is the same person's in the same place; only then what is shown may stay. Rejects with Problem. */
  async verifyToken(token: string): Promise<boolean> {
    const next = await this.client.withToken(token).json<Session>("/v1/session");
    return !this.session || (next.tenant === this.session.tenant && next.user === this.session.user);
  }

  take(token: string): void {
    this.client.setToken(token);
    if (this.phase === "failed") void this.load();
  }

  protected get at(): StructureApi {
    return this.structures as StructureApi;
  }

  protected changed(): void {
    this.dispatchEvent(new Event("change"));
  }
}
