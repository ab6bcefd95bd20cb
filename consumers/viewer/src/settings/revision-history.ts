import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";

import { Problem } from "../api/problem.js";
import type { Revision } from "../api/structure.js";
import { customElement } from "../elements/define.js";
import { visible } from "../model/format/text.js";
import { describeRevision } from "../model/structure/describe-changes.js";
import { baseStyles } from "../styles/base.js";
import { problemNote } from "./problem-note.js";
import { relativeTime } from "./relative-time.js";
import { revisionHistoryStyles } from "./revision-history.styles.js";
import { noteStyles, sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

const PAGE = 10;

/**
 * @summary Lists who changed what and when. Loads when it is opened.
 *
 * @csspart history - The card.
 */
@customElement("auditlane-settings-history")
export class RevisionHistory extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, noteStyles, revisionHistoryStyles];

  @state() private revisions: Revision[] = [];
  @state() private next: number | null = null;
  @state() private problem: Problem | null = null;
  @state() private loading = false;

  private open = false;
  private loadedRevision = -1;
  private requestCount = 0;

  protected override render(): TemplateResult {
    const words = this.text.history;
    return html`<details class="card" part="history" @toggle=${this.onToggle}>
      <summary>${words.title}<span class="quietly">${words.show}</span></summary>
      ${this.loadedRevision >= 0 && !this.revisions.length && !this.loading && !this.problem
        ? html`<div class="feet"><p>${words.none}</p></div>`
        : nothing}
      <ol aria-label=${words.title} aria-busy=${this.loading}>
        ${this.revisions.map((revision) => this.renderRevision(revision))}
      </ol>
      <div class="feet">
        ${this.problem ? problemNote(this.problem, this.settings.text, () => void this.loadMore()) : this.renderFooter()}
      </div>
    </details>`;
  }

  protected override updated(): void {
    const revision = this.settings.loaded?.structure.revision ?? -1;
    if (this.open && revision !== this.loadedRevision) void this.reload(revision);
  }

  private renderRevision(revision: Revision): TemplateResult {
    const { language, loaded, text } = this.settings;
    const lines = loaded ? describeRevision(revision, loaded.structure, text) : [];
    return html`<li>
      <div>
        <div>${visible(revision.changedBy)}</div>
        <div class="quietly small">${revision.changedAt ? relativeTime(revision.changedAt, language) : nothing}</div>
      </div>
      <div>${lines.map((line) => html`<p>${visible(line)}</p>`)}</div>
    </li>`;
  }

  private renderFooter(): TemplateResult | typeof nothing {
    const words = this.text.history;
    if (this.loading) return html`<p class="quietly" role="status">${words.loading}…</p>`;
    if (this.next !== null) return html`<button @click=${() => this.loadMore()}>${words.older}</button>`;
    return this.revisions.length > PAGE ? html`<p class="quietly">${words.all}</p>` : nothing;
  }

  private readonly onToggle = (event: Event): void => {
    this.open = (event.target as HTMLDetailsElement).open;
    this.requestUpdate();
  };

  /** Loads the newest revisions again. */
  private async reload(revision: number): Promise<void> {
    this.loadedRevision = revision;
    await this.loadPage(null, []);
  }

  private async loadMore(): Promise<void> {
    await this.loadPage(this.next, this.revisions);
  }

  private async loadPage(before: number | null, known: Revision[]): Promise<void> {
    const requestCount = ++this.requestCount;
    this.loading = true;
    this.problem = null;
    try {
      const page = await this.settings.history(PAGE, before);
      if (requestCount !== this.requestCount) return;
      this.revisions = [...known, ...page.data];
      this.next = page.next;
    } catch (cause) {
      if (requestCount === this.requestCount) this.problem = Problem.from(cause);
    }
    if (requestCount === this.requestCount) this.loading = false;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-history": RevisionHistory;
  }
}
