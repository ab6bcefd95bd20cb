import { html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";

import { Problem } from "../../api/problem.js";
import type { SavedView } from "../../api/saved-views.js";
import { customElement } from "../../elements/define.js";
import { type ViewTexts, viewTexts } from "../../i18n/views.js";
import { baseStyles } from "../../styles/base.js";
import { ViewerElement } from "../viewer-element.js";
import { describeProblem, removeView, renameView, saveView } from "./changes.js";
import { viewDialogStyles } from "./view-dialog.styles.js";

const MAX_NAME = 60;

export type ViewTask = { kind: "save" } | { kind: "rename" | "remove"; saved: SavedView };

/**
 * @summary A dialog that saves a view under a name, renames it or asks before deleting it.
 *
 * @event done - The view was saved, renamed or deleted.
 * @csspart dialog - The dialog.
 */
@customElement("auditlane-view-dialog")
export class ViewDialog extends ViewerElement {
  static override styles = [baseStyles, viewDialogStyles];

  @state() private task: ViewTask = { kind: "save" };
  @state() private problem = "";
  @state() private busy = false;
  @query("dialog") private dialog!: HTMLDialogElement;
  @query("#name") private nameInput!: HTMLInputElement | null;
  @query("#share") private shareInput!: HTMLInputElement | null;

  async show(task: ViewTask): Promise<void> {
    this.task = task;
    this.problem = "";
    await this.updateComplete;
    if (this.nameInput) this.nameInput.value = task.kind === "rename" ? task.saved.name : "";
    if (this.shareInput) this.shareInput.checked = false;
    if (!this.dialog.open) this.dialog.showModal();
    this.nameInput?.select();
  }

  protected override render(): TemplateResult {
    const { task, words } = this;
    const { saveView: ofSave } = this.text.reading;
    const title = { save: ofSave.button, rename: words.rename, remove: task.kind === "remove" ? words.removeTitle(task.saved.name) : "" }[task.kind];
    return html`<dialog part="dialog" aria-labelledby="title">
      <form novalidate @submit=${this.submit}>
        <h3 id="title">${title}</h3>
        ${task.kind === "remove" ? html`<p>${task.saved.shared ? words.removeShared : words.removeOwn}</p>` : this.renderFields(task)}
        <p class="problem" role="alert">${this.problem}</p>
        <div class="feet">
          <button type="button" @click=${() => this.dialog.close()}>${words.cancel}</button>
          <button class="primary" aria-disabled=${this.busy}>${{ save: ofSave.button, rename: words.rename, remove: words.remove }[task.kind]}</button>
        </div>
      </form>
    </dialog>`;
  }

  private get words(): ViewTexts {
    return viewTexts[this.viewer.language];
  }

  private renderFields(task: ViewTask): TemplateResult {
    const { words } = this;
    const { saveView: ofSave } = this.text.reading;
    return html`${task.kind === "save" ? html`<p class="quietly">${ofSave.title}.</p>` : nothing}
      <div class="field">
        <label for="name">${words.name}</label>
        <input id="name" maxlength=${MAX_NAME} autocomplete="off" @input=${() => (this.problem = "")} />
      </div>
      ${task.kind === "save" && this.viewer.can("audits:configure")
        ? html`<label class="choice"><input id="share" type="checkbox" />${words.shareLabel}</label>`
        : nothing}`;
  }

  private readonly submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const name = this.nameInput?.value.trim() ?? "";
    if (this.busy) return;
    if (this.nameInput && !name) {
      this.problem = this.words.nameNeeded;
      return this.nameInput.focus();
    }
    this.busy = true;
    this.problem = "";
    try {
      await this.run(name);
      this.dialog.close();
      this.dispatchEvent(new Event("done"));
    } catch (cause) {
      this.problem = describeProblem(Problem.from(cause), this.viewer);
      this.nameInput?.focus();
    } finally {
      this.busy = false;
    }
  };

  private async run(name: string): Promise<void> {
    const { task, viewer } = this;
    if (task.kind === "save") return saveView(viewer, name, this.shareInput?.checked ?? false);
    const saved = viewer.savedViews.find(task.saved.id) ?? task.saved; // loaded again after a conflict
    return task.kind === "rename" ? renameView(viewer, saved, name) : removeView(viewer, saved);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-view-dialog": ViewDialog;
  }
}
