import { html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";

import { Problem } from "../../api/problem.js";
import type { SavedView } from "../../api/saved-views.js";
import { controlForKey } from "../../elements/arrow-keys.js";
import { copyText } from "../../elements/copy.js";
import "../../elements/dropdown.js";
import type { Dropdown } from "../../elements/dropdown.js";
import { customElement } from "../../elements/define.js";
import { type ViewTexts, viewTexts } from "../../i18n/views.js";
import { differs } from "../../model/saved-view.js";
import { linkToSavedView } from "../../model/share.js";
import { baseStyles } from "../../styles/base.js";
import { icon, type IconName } from "../../styles/icons.js";
import { noticeStyles } from "../../styles/notice.js";
import { ViewerElement } from "../viewer-element.js";
import { describeProblem, shareView, updateView } from "./changes.js";
import "./view-dialog.js";
import type { ViewDialog, ViewTask } from "./view-dialog.js";
import { viewsStyles } from "./views.styles.js";

/**
 * @summary The saved views as tabs, after one for all events, with the options of the selected view.
 *
 * @event emptied - The last view was deleted, so that focus has to move elsewhere.
 * @csspart tab - Each tab.
 * @csspart dialog - The dialog that renames or deletes a view.
 * @csspart notice - A notice about the views.
 */
@customElement("auditlane-views")
export class Views extends ViewerElement {
  static override styles = [baseStyles, noticeStyles, viewsStyles];

  @state() private told = "";
  @state() private busy = false;
  @query("auditlane-view-dialog") private dialog!: ViewDialog;

  private seenRefresh: number | null = null;
  private seenView = "";

  protected override willUpdate(): void {
    const { refreshCount, savedViews, client } = this.viewer;
    if (this.seenRefresh !== null && this.seenRefresh !== refreshCount) void savedViews.load(client);
    this.seenRefresh = refreshCount;
    if (this.seenView !== this.viewer.view.saved) this.told = "";
  }

  protected override render(): TemplateResult {
    const { viewer, words } = this;
    const { savedView } = viewer;
    return html`<div class="line">
        <div role="tablist" aria-label=${words.label} @keydown=${this.onKeydown}>
          ${this.renderTab(null)}${viewer.savedViews.all.map((saved) => this.renderTab(saved))}
        </div>
        <div class="actions">${savedView ? this.renderActions(savedView) : nothing}</div>
      </div>
      <p class="told" role="status">${this.told}</p>
      ${this.renderNotice()}
      <auditlane-view-dialog exportparts="dialog" @done=${this.onDone}></auditlane-view-dialog>`;
  }

  protected override updated(): void {
    const { saved } = this.viewer.view;
    if (saved === this.seenView) return;
    this.seenView = saved;
    requestAnimationFrame(() => this.reveal(this.selectedTab)); // after the options have been rendered, since they take up width in the row
  }

  private renderTab(saved: SavedView | null): TemplateResult {
    const { words } = this;
    const selected = this.viewer.savedView?.id === saved?.id;
    return html`<button
      role="tab"
      part="tab"
      aria-selected=${selected}
      tabindex=${selected ? 0 : -1}
      title=${saved?.name ?? words.all}
      @click=${() => this.viewer.openView(saved)}
    >
      ${saved?.shared ? html`${icon("people")}<span class="unseen">${words.shared}: </span>` : nothing}<bdi>${saved?.name ?? words.all}</bdi
      >${selected && saved && this.differs(saved)
        ? html`<span class="changed" aria-hidden="true">•</span> <span class="unseen">(${words.changed})</span>`
        : nothing}
    </button>`;
  }

  private renderActions(saved: SavedView): TemplateResult {
    const { words } = this;
    const mayShare = this.viewer.can("audits:configure");
    const mayChange = mayShare || !saved.shared;
    const items: TemplateResult[] = [];
    if (mayChange) items.push(this.item("pencil", words.rename, () => this.ask({ kind: "rename", saved })));
    if (mayShare) items.push(this.item("people", saved.shared ? words.unshare : words.share, () => this.share(saved)));
    if (this.viewer.usesAddress) items.push(this.item("link", words.copyLink, () => this.copy(saved)));
    if (mayChange) items.push(this.item("trash", words.remove, () => this.ask({ kind: "remove", saved })));
    return html`${mayChange && this.differs(saved)
      ? html`<button class="update" aria-disabled=${this.busy} @click=${() => this.saveChanges(saved)}>${icon("save")}${words.update}</button>`
      : nothing}
    ${items.length
      ? html`<auditlane-dropdown quiet .name=${words.options(saved.name)} .label=${words.options(saved.name)}>
          <span slot="button">${icon("more")}</span>
          <div class="menu">${items}</div>
        </auditlane-dropdown>`
      : nothing}`;
  }

  private item(sign: IconName, label: string, run: () => Promise<void>): TemplateResult {
    return html`<button class="quiet" @click=${() => (this.closeMenu(), void run())}>${icon(sign)}${label}</button>`;
  }

  private renderNotice(): TemplateResult | typeof nothing {
    const { savedViews, client, text } = this.viewer;
    const { words } = this;
    const line = (message: string, label: string, run: () => void): TemplateResult => html`<div class="notice" part="notice" role="status">
      ${icon("warning")}
      <p>${message}</p>
      <button @click=${run}>${label}</button>
    </div>`;
    if (savedViews.missing) return line(words.missing, words.dismiss, () => savedViews.dismiss());
    return savedViews.problem && !this.viewer.authProblem ? line(words.notLoaded, text.states.retry, () => void savedViews.load(client)) : nothing;
  }

  private get words(): ViewTexts {
    return viewTexts[this.viewer.language];
  }

  private differs(saved: SavedView): boolean {
    return differs(saved, this.viewer.view, this.viewer.chosenZone);
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    const tabs = [...this.renderRoot.querySelectorAll<HTMLElement>('[role="tab"]')];
    const tab = controlForKey(event, tabs, { previous: "ArrowLeft", next: "ArrowRight" });
    tab?.focus({ preventScroll: true });
    this.reveal(tab);
  };

  /** Scrolls a tab into view within the row, without scrolling the page. */
  private reveal(tab: HTMLElement | null): void {
    const row = tab?.parentElement;
    if (!tab || !row) return;
    const [outer, inner] = [row.getBoundingClientRect(), tab.getBoundingClientRect()];
    row.scrollLeft += Math.min(0, inner.left - outer.left) + Math.max(0, inner.right - outer.right);
  }

  private get selectedTab(): HTMLElement | null {
    return this.renderRoot.querySelector('[aria-selected="true"]');
  }

  private closeMenu(): void {
    this.renderRoot.querySelector<Dropdown>("auditlane-dropdown")?.close();
  }

  private async ask(task: ViewTask): Promise<void> {
    this.told = "";
    await this.dialog.show(task);
  }

  private readonly onDone = (): void => {
    if (this.viewer.savedViews.shown) this.focusSelected();
    else this.dispatchEvent(new Event("emptied"));
  };

  private async saveChanges(saved: SavedView): Promise<void> {
    if (await this.run(() => updateView(this.viewer, saved))) this.told = this.words.saved(saved.name);
    this.focusSelected(); // the button has disappeared
  }

  private async share(saved: SavedView): Promise<void> {
    if (await this.run(() => shareView(this.viewer, saved, !saved.shared))) this.told = this.words.saved(saved.name);
  }

  private async copy(saved: SavedView): Promise<void> {
    const { words } = this;
    const { reading } = this.text;
    const copied = await copyText(linkToSavedView(saved.id, location), this.renderRoot as ShadowRoot);
    this.told = copied ? (saved.shared ? words.copied : words.copiedOwn) : reading.details.notCopied;
  }

  /** Resolves to whether a change succeeded. If it did not, a message shows the reader why. */
  private async run(change: () => Promise<void>): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    this.told = "";
    try {
      await change();
      return true;
    } catch (cause) {
      this.told = describeProblem(Problem.from(cause), this.viewer);
      return false;
    } finally {
      this.busy = false;
    }
  }

  private focusSelected(): void {
    void this.updateComplete.then(() => this.selectedTab?.focus({ preventScroll: true }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-views": Views;
  }
}
