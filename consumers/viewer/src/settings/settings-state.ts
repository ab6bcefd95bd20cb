/** What the settings' parts share: whose they are, what was read, what is not saved yet, and every way to change it. */
import { createContext } from "@lit/context";

import type { Endpoint } from "../api/client.js";
import { Problem } from "../api/problem.js";
import type { Field, HistoryPage, Revision, StructureVersion, FieldInput } from "../api/structure.js";
import { type Language, textsOf } from "../i18n/index.js";
import { type Draft, draftOf, setField, fieldsToSave, withoutField } from "../model/structure/draft.js";
import { rebaseUnsaved, remoteChanges, rebase } from "../model/structure/merge.js";
import { type Conflict, State } from "./loaded-settings.js";

const OTHERS = 20; // revisions that a conflict tells at most

/** Its event `saved` says that the service has taken something, `heading` that what had the focus is gone. */
export class Settings extends State {
  static async open(place: Endpoint, renew: () => Promise<string>, language: Language): Promise<Settings> {
    return new Settings(place, renew, language, await textsOf(language));
  }

  edit(how: (draft: Draft) => Draft, said = ""): void {
    if (!this.draft) return;
    this.draft = how(this.draft);
    this.justSaved = false;
    if (said) this.said = said;
    this.changed();
  }

  discard(): void {
    if (!this.seen) return;
    this.draft = draftOf(this.seen.structure);
    Object.assign(this, { refused: null, conflict: null, said: this.text.settings.discarded });
    this.changed();
  }

  /** Saves the list; whether it was. What others did meanwhile is `conflict`, anything else `refused`. */
  async save(): Promise<boolean> {
    const { seen, draft } = this;
    if (!seen || !draft) return false;
    return await this.doing(async () => {
      const saved = await this.at.save(seen.etag, { fields: fieldsToSave(draft) });
      const left = rebaseUnsaved(draft, this.draft ?? draft, saved.structure); // of what was done while it was sent
      Object.assign(this, { seen: saved, draft: left, conflict: null, justSaved: true });
      this.said = this.text.settings.saved;
    });
  }

  /** The scope's own switch; null is as inherited. Others' changes of anything else do not stand in its way. */
  async switchTo(enabled: boolean | null): Promise<boolean> {
    return await this.doing(async () => {
      const { seen } = this;
      if (!seen) return;
      try {
        this.arrive(await this.at.save(seen.etag, { enabled }));
      } catch (cause) {
        const now = await this.ifChanged(cause);
        if (now.structure.enabled !== seen.structure.enabled) throw cause;
        this.arrive(await this.at.save(now.etag, { enabled }));
      }
      const { effectiveEnabled } = (this.seen as StructureVersion).structure;
      this.said = effectiveEnabled ? this.text.settings.switch.on : this.text.settings.switch.off;
    });
  }

  /** Rejects with Problem, for the form that asked. */
  async add(field: FieldInput): Promise<void> {
    this.justSaved = false;
    this.arrive(await this.at.add(field));
    await this.fieldsChanged(this.text.settings.form.added(field.displayName ?? field.name ?? ""));
  }

  /** The same for a field that there is. Others' changes of other fields do not stand in its way. */
  async change(name: string, field: FieldInput): Promise<void> {
    const { seen } = this;
    if (!seen) return;
    const here = fieldOf(seen, name);
    if (here && field.displayName) this.edit((draft) => setField(draft, name, { displayName: here.displayName })); // said anew
    try {
      this.arrive(await this.at.change(seen.etag, name, field));
    } catch (cause) {
      const before = JSON.stringify([fieldOf(seen, name), this.contract?.fields.find((one) => one.name === name)]);
      const now = await this.ifChanged(cause);
      await this.readContract();
      const after = JSON.stringify([fieldOf(now, name), this.contract?.fields.find((one) => one.name === name)]);
      if (before !== after) {
        this.arrive(now);
        this.changed();
        throw cause;
      }
      this.arrive(await this.at.change(now.etag, name, field));
    }
    await this.fieldsChanged(this.text.settings.form.changed(field.displayName ?? fieldOf(this.seen as StructureVersion, name)?.displayName ?? name));
  }

  async remove(name: string): Promise<boolean> {
    const label = this.seen ? (fieldOf(this.seen, name)?.displayName ?? name) : name;
    return await this.doing(async () => {
      await this.at.remove(name);
      if (this.draft) this.draft = withoutField(this.draft, name);
      this.arrive(await this.at.read());
      await this.fieldsChanged(this.text.settings.removed.done(label));
    });
  }

  async restore(field: FieldInput, label: string): Promise<boolean> {
    return await this.doing(async () => {
      this.arrive(await this.at.add(field));
      await this.fieldsChanged(this.text.settings.removed.restored(label));
    });
  }

  /** What others saved, with one's own changes on top, not saved yet. */
  reapply(): void {
    if (!this.conflict) return;
    const { seen, merged } = this.conflict;
    Object.assign(this, { seen, draft: merged.draft, conflict: null, said: this.text.settings.conflict.reapplied });
    void this.readContract();
    this.changed();
  }

  /** What others saved. */
  giveWay(): void {
    if (!this.conflict) return;
    this.seen = this.conflict.seen;
    void this.readContract();
    this.discard();
  }

  /** The focus is to go to where everything begins; `still`: what is in view stays there. */
  toHeading(still = false): void {
    this.dispatchEvent(new CustomEvent("heading", { detail: still }));
  }

  /** That it was saved needs to be told no longer. */
  seenSaved(): void {
    this.justSaved = false;
    this.changed();
  }

  history(limit: number, before: number | null): Promise<HistoryPage> {
    return this.at.history(limit, before);
  }

  /** One change at a time; whether it was taken. */
  private async doing(what: () => Promise<void>): Promise<boolean> {
    if (this.busy) return false;
    Object.assign(this, { busy: true, refused: null, justSaved: false });
    this.changed();
    let done = true;
    try {
      await what();
    } catch (cause) {
      done = false;
      await this.explain(Problem.from(cause));
    }
    this.busy = false;
    this.changed();
    if (done) this.dispatchEvent(new Event("saved"));
    return done;
  }

  private async explain(problem: Problem): Promise<void> {
    this.refused = problem;
    if (!isStale(problem) || !this.seen || !this.draft) return;
    try {
      this.conflict = await this.conflictWith(await this.at.read());
      this.refused = null;
    } catch (cause) {
      this.refused = Problem.from(cause);
    }
  }

  /** What is there now, for a request that came after somebody else's; any other problem is thrown on. */
  private async ifChanged(cause: unknown): Promise<StructureVersion> {
    if (!isStale(Problem.from(cause))) throw cause;
    return await this.at.read();
  }

  private async conflictWith(now: StructureVersion): Promise<Conflict> {
    const { seen, draft } = this as { seen: StructureVersion; draft: Draft };
    const page = await this.at.history(OTHERS).catch(() => ({ data: [] as Revision[] }));
    return {
      seen: now,
      theirs: remoteChanges(seen.structure, now.structure),
      merged: rebase(draft, now.structure),
      revisions: page.data.filter((one) => one.revision > seen.structure.revision),
    };
  }

  /** A newer state; what is not saved stays, and is asked about where others changed the same. */
  private arrive(now: StructureVersion): void {
    const { seen, draft } = this as { seen: StructureVersion; draft: Draft };
    const merged = rebase(draft, now.structure);
    if (merged.conflicts.length || merged.lostFields.length) {
      this.conflict = { seen: now, theirs: remoteChanges(seen.structure, now.structure), merged, revisions: [] };
    }
    Object.assign(this, { seen: now, draft: merged.draft });
  }

  private async fieldsChanged(said: string): Promise<void> {
    this.said = said;
    await this.readContract();
    this.dispatchEvent(new Event("saved"));
  }
}

function isStale(problem: Problem): boolean {
  return problem.status === 412 || problem.code === "CONFLICT";
}

function fieldOf(seen: StructureVersion, name: string): Field | undefined {
  return seen.structure.fields.find((one) => one.name === name);
}

export const settingsContext = createContext<Settings>(Symbol("auditlane-settings"));
