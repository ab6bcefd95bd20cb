/** The state shared by the settings elements, and every operation that changes it. */
import { createContext } from "@lit/context";

import { forgetAction, nameAction, type NamedAction, readActions } from "../api/actions.js";
import type { Endpoint } from "../api/client.js";
import { Problem } from "../api/problem.js";
import type { Field, FieldInput, HistoryPage, Revision, StructureVersion } from "../api/structure.js";
import type { Language } from "../i18n/index.js";
import { settingsTextsOf } from "../i18n/settings.js";
import { type Draft, draftOf, fieldsToSave, setField, withoutField } from "../model/structure/draft.js";
import { rebase, rebaseUnsaved, remoteChanges } from "../model/structure/merge.js";
import { type Conflict, LoadedSettings } from "./loaded-settings.js";

const MAX_CONFLICT_REVISIONS = 20;

type Links = Readonly<Record<string, string>>;

/**
 * Dispatches `saved` when the service has accepted a change. Dispatches `heading` to move the focus to the heading when
 * the focused element disappears.
 */
export class SettingsState extends LoadedSettings {
  static async open(endpoint: Endpoint, renew: () => Promise<string>, language: Language): Promise<SettingsState> {
    return new SettingsState(endpoint, renew, language, await settingsTextsOf(language));
  }

  /** Changes the draft. Screen readers announce `announcement`. */
  edit(change: (draft: Draft) => Draft, announcement = ""): void {
    if (!this.draft) return;
    this.draft = change(this.draft);
    this.justSaved = false;
    if (announcement) this.announcement = announcement;
    this.notify();
  }

  discard(): void {
    if (!this.loaded) return;
    this.draft = draftOf(this.loaded.structure);
    this.saveProblem = null;
    this.conflict = null;
    this.announcement = this.text.settings.discarded;
    this.notify();
  }

  /**
   * Saves the draft, and resolves to whether that succeeded. Sets `conflict` if another user has made a change, and
   * `saveProblem` after any other failure.
   */
  async save(): Promise<boolean> {
    const { loaded, draft } = this;
    if (!loaded || !draft) return false;
    return await this.run(async () => {
      const saved = await this.api.save(loaded.etag, { fields: fieldsToSave(draft) });
      this.loaded = saved;
      this.draft = rebaseUnsaved(draft, this.draft ?? draft, saved.structure); // edits made while the request was running
      this.conflict = null;
      this.justSaved = true;
      this.announcement = this.text.settings.saved;
    });
  }

  /** Sets the scope's own switch. Null means that it is inherited. Other users' changes to anything else do not prevent this. */
  async switchTo(enabled: boolean | null): Promise<boolean> {
    return await this.run(async () => {
      const { loaded } = this;
      if (!loaded) return;
      try {
        this.accept(await this.api.save(loaded.etag, { enabled }));
      } catch (cause) {
        const latest = await this.readIfStale(cause);
        if (latest.structure.enabled !== loaded.structure.enabled) throw cause;
        this.accept(await this.api.save(latest.etag, { enabled }));
      }
      const { effectiveEnabled } = (this.loaded as StructureVersion).structure;
      this.announcement = effectiveEnabled ? this.text.settings.switch.on : this.text.settings.switch.off;
    });
  }

  /** Adds a field. Rejects with Problem, which the form shows. */
  async add(field: FieldInput): Promise<void> {
    this.justSaved = false;
    this.accept(await this.api.add(field));
    await this.fieldsChanged(this.text.settings.form.added(field.displayName ?? field.name ?? ""));
  }

  /** Changes a field, even if others have changed other fields in the meantime. Rejects with Problem, which the form shows. */
  async change(name: string, field: FieldInput): Promise<void> {
    const { loaded } = this;
    if (!loaded) return;
    const current = fieldOf(loaded, name);
    // the form's name takes precedence
    if (current && field.displayName) this.edit((draft) => setField(draft, name, { displayName: current.displayName }));
    try {
      this.accept(await this.api.change(loaded.etag, name, field));
    } catch (cause) {
      const before = this.fingerprint(loaded, name);
      const latest = await this.readIfStale(cause);
      await this.readContract();
      if (this.fingerprint(latest, name) !== before) {
        this.accept(latest);
        this.notify();
        throw cause;
      }
      this.accept(await this.api.change(latest.etag, name, field));
    }
    const label = field.displayName ?? fieldOf(this.loaded as StructureVersion, name)?.displayName ?? name;
    await this.fieldsChanged(this.text.settings.form.changed(label));
  }

  async remove(name: string): Promise<boolean> {
    const label = this.loaded ? (fieldOf(this.loaded, name)?.displayName ?? name) : name;
    return await this.run(async () => {
      await this.api.remove(name);
      if (this.draft) this.draft = withoutField(this.draft, name);
      this.accept(await this.api.read());
      await this.fieldsChanged(this.text.settings.removed.done(label));
    });
  }

  async restore(field: FieldInput, label: string): Promise<boolean> {
    return await this.run(async () => {
      this.accept(await this.api.add(field));
      await this.fieldsChanged(this.text.settings.removed.restored(label));
    });
  }

  /**
   * Returns the link templates by resource type, and the inherited ones that they replace. The latter are null if there
   * is no scope to inherit from.
   */
  links(version = this.loaded): { own: Links; inherited: Links | null } {
    const field = version && fieldOf(version, "resource");
    return { own: field?.links ?? {}, inherited: field?.inherited?.links ?? null };
  }

  /**
   * Saves the links that `change` returns for the current ones, unless others have changed the same links meanwhile.
   * Rejects with Problem.
   */
  async changeLinks(change: (links: Links) => Links, announcement: string): Promise<void> {
    const { loaded } = this;
    if (!loaded) return;
    const send = async (version: StructureVersion): Promise<void> => {
      const fields = fieldsToSave(draftOf(version.structure)).map((field) =>
        field.name === "resource" ? { ...field, links: change(this.links(version).own) } : field,
      );
      this.accept(await this.api.save(version.etag, { fields }));
    };
    try {
      await send(loaded);
    } catch (cause) {
      const latest = await this.readIfStale(cause);
      this.accept(latest);
      this.notify();
      if (JSON.stringify(this.links(latest)) !== JSON.stringify(this.links(loaded))) throw cause;
      await send(latest);
    }
    this.announcement = announcement;
    this.notify();
    this.dispatchEvent(new Event("saved"));
  }

  /** Changes the links like `changeLinks`, but shows a problem above the settings. Resolves to whether that succeeded. */
  async replaceLinks(change: (links: Links) => Links, announcement: string): Promise<boolean> {
    return await this.run(async () => await this.changeLinks(change, announcement));
  }

  /**
   * Adds an action or changes its labels, even if others have changed other settings meanwhile. Rejects with Problem,
   * which the form shows.
   */
  async nameAction(action: NamedAction): Promise<void> {
    const before = this.labelsOf(action.name);
    const label = action.label[this.language];
    try {
      this.catalogue = await nameAction(this.client, this.catalogue?.etag ?? "*", action);
    } catch (cause) {
      if (!isStale(Problem.from(cause))) throw cause;
      const latest = await readActions(this.client, this.tenant);
      this.catalogue = latest;
      this.notify();
      if (this.labelsOf(action.name) !== before) throw cause;
      this.catalogue = await nameAction(this.client, latest.etag, action);
    }
    await this.actionsChanged(this.text.settings.actions.form.saved(label));
  }

  /** Removes the environment's labels for an action. */
  async forgetAction(name: string, label: string): Promise<boolean> {
    return await this.run(async () => {
      await forgetAction(this.client, name);
      await this.readCatalogue();
      await this.actionsChanged(this.text.settings.actions.removed(label));
    });
  }

  /** Resolves the conflict by accepting the others' version and reapplying the user's changes to it, without saving them. */
  reapply(): void {
    if (!this.conflict) return;
    const { latest, merged } = this.conflict;
    this.loaded = latest;
    this.draft = merged.draft;
    this.conflict = null;
    this.announcement = this.text.settings.conflict.reapplied;
    void this.readContract();
    this.notify();
  }

  /** Resolves the conflict by accepting the others' version and dropping the user's changes. */
  acceptRemote(): void {
    if (!this.conflict) return;
    this.loaded = this.conflict.latest;
    void this.readContract();
    this.discard();
  }

  /** Asks the root element to focus its heading. With `preventScroll`, the page does not move. */
  focusHeading(preventScroll = false): void {
    this.dispatchEvent(new CustomEvent("heading", { detail: preventScroll }));
  }

  /** Removes the notice that the draft was saved. */
  dismissSaved(): void {
    this.justSaved = false;
    this.notify();
  }

  history(limit: number, before: number | null): Promise<HistoryPage> {
    return this.api.history(limit, before);
  }

  /** Runs one change at a time. Resolves to whether it succeeded. */
  private async run(action: () => Promise<void>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.saveProblem = null;
    this.justSaved = false;
    this.notify();
    let succeeded = true;
    try {
      await action();
    } catch (cause) {
      succeeded = false;
      await this.handleProblem(Problem.from(cause));
    }
    this.busy = false;
    this.notify();
    if (succeeded) this.dispatchEvent(new Event("saved"));
    return succeeded;
  }

  private async handleProblem(problem: Problem): Promise<void> {
    this.saveProblem = problem;
    if (!isStale(problem) || !this.loaded || !this.draft) return;
    try {
      this.conflict = await this.conflictWith(await this.api.read());
      this.saveProblem = null;
    } catch (cause) {
      this.saveProblem = Problem.from(cause);
    }
  }

  /** Reads the structure again if `cause` means that another user has saved, and rethrows any other problem. */
  private async readIfStale(cause: unknown): Promise<StructureVersion> {
    if (!isStale(Problem.from(cause))) throw cause;
    return await this.api.read();
  }

  private async conflictWith(latest: StructureVersion): Promise<Conflict> {
    const { loaded, draft } = this as { loaded: StructureVersion; draft: Draft };
    const page = await this.api.history(MAX_CONFLICT_REVISIONS).catch(() => ({ data: [] as Revision[] }));
    return {
      latest,
      remote: remoteChanges(loaded.structure, latest.structure),
      merged: rebase(draft, latest.structure),
      revisions: page.data.filter(({ revision }) => revision > loaded.structure.revision),
    };
  }

  /** Accepts a newer structure and keeps unsaved changes. Sets `conflict` if others changed the same attributes. */
  private accept(latest: StructureVersion): void {
    const { loaded, draft } = this as { loaded: StructureVersion; draft: Draft };
    const merged = rebase(draft, latest.structure);
    if (merged.conflicts.length || merged.lostFields.length) {
      this.conflict = { latest, remote: remoteChanges(loaded.structure, latest.structure), merged, revisions: [] };
    }
    this.loaded = latest;
    this.draft = merged.draft;
  }

  private async fieldsChanged(announcement: string): Promise<void> {
    this.announcement = announcement;
    await this.readContract();
    this.dispatchEvent(new Event("saved"));
  }

  private async actionsChanged(announcement: string): Promise<void> {
    this.announcement = announcement;
    this.accept(await this.api.read()); // the next save needs the new revision
    this.notify();
    this.dispatchEvent(new Event("saved"));
  }

  private labelsOf(name: string): string {
    const { label, sentence, attempted } = this.catalogue?.actions.find((action) => action.name === name) ?? {};
    return JSON.stringify([label, sentence, attempted]);
  }

  /** Returns a string that changes only if the presentation or contract of the field has changed. */
  private fingerprint(version: StructureVersion, name: string): string {
    return JSON.stringify([fieldOf(version, name), this.contract?.fields.find((field) => field.name === name)]);
  }
}

function isStale(problem: Problem): boolean {
  return problem.status === 412 || problem.code === "CONFLICT";
}

function fieldOf(version: StructureVersion, name: string): Field | undefined {
  return version.structure.fields.find((field) => field.name === name);
}

export const settingsContext = createContext<SettingsState>(Symbol("auditlane-settings"));
