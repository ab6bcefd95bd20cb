/** `<auditlane-settings-history>`: who changed what, and when; read when it is opened. */
import { css, html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";

import { Problem } from "../api/problem.js";
import type { Revision } from "../api/structure.js";
import { visible } from "../model/format/text.js";
import { describeRevision } from "../model/structure/describe-changes.js";
import { base } from "../styles/base.js";
import { SettingsElement } from "./settings-element.js";
import { note, section } from "./section.styles.js";
import { problemNote } from "./problem-note.js";
import { moment } from "./relative-time.js";

const PAGE = 10;

@customElement("auditlane-settings-history")
export class History extends SettingsElement {
  static override styles = [
    base,
    section,
    note,
    css`
      summary {
        cursor: pointer;
        border-radius: calc(var(--radius) * 0.67);
        font-weight: 600;
      }
      summary span {
        margin-inline-start: 0.4rem;
        font-weight: 400;
      }
      ol {
        margin: 0.6rem 0 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: minmax(9rem, 13rem) 1fr;
        gap: 0.2rem 1rem;
        padding: 0.5rem 0;
        border-block-start: 1px solid var(--line);
      }
      li > div {
        min-width: 0;
        overflow-wrap: anywhere;
      }
      .feet > * {
        margin-block-start: 0.6rem;
      }
      @container (max-width: 36rem) {
        li {
          grid-template-columns: 1fr;
        }
      }
    `,
  ];

  @state() private revisions: Revision[] = [];
  @state() private next: number | null = null;
  @state() private problem: Problem | null = null;
  @state() private loading = false;

  private open = false;
  private read = -1;
  private turn = 0;

  protected override render(): TemplateResult {
    const words = this.text.history;
    return html`<details class="card" part="history" @toggle=${this.toggled}>
      <summary>${words.title}<span class="quietly">${words.show}</span></summary>
      ${this.read >= 0 && !this.revisions.length && !this.loading && !this.problem
        ? html`<div class="feet"><p>${words.none}</p></div>`
        : nothing}
      <ol aria-label=${words.title} aria-busy=${this.loading}>
        ${this.revisions.map((one) => this.revision(one))}
      </ol>
      <div class="feet">
        ${this.problem ? problemNote(this.problem, this.settings.text, () => void this.more()) : this.foot()}
      </div>
    </details>`;
  }

  protected override updated(): void {
    const revision = this.settings.seen?.structure.revision ?? -1;
    if (this.open && revision !== this.read) void this.begin(revision);
  }

  private revision(one: Revision): TemplateResult {
    const { language, seen, text } = this.settings;
    const lines = seen ? describeRevision(one, seen.structure, text) : [];
    return html`<li>
      <div>
        <div>${visible(one.changedBy)}</div>
        <div class="quietly small">${one.changedAt ? moment(one.changedAt, language) : nothing}</div>
      </div>
      <div>${lines.map((line) => html`<p>${visible(line)}</p>`)}</div>
    </li>`;
  }

  private foot(): TemplateResult | typeof nothing {
    const words = this.text.history;
    if (this.loading) return html`<p class="quietly" role="status">${words.loading}…</p>`;
    if (this.next !== null) return html`<button @click=${() => this.more()}>${words.older}</button>`;
    return this.revisions.length > PAGE ? html`<p class="quietly">${words.all}</p>` : nothing;
  }

  private readonly toggled = (event: Event): void => {
    this.open = (event.target as HTMLDetailsElement).open;
    this.requestUpdate();
  };

  /** From the newest again. */
  private async begin(revision: number): Promise<void> {
    this.read = revision;
    await this.ask(null, []);
  }

  private async more(): Promise<void> {
    await this.ask(this.next, this.revisions);
  }

  private async ask(before: number | null, known: Revision[]): Promise<void> {
    const turn = ++this.turn;
    [this.loading, this.problem] = [true, null];
    try {
      const page = await this.settings.history(PAGE, before);
      if (turn !== this.turn) return;
      [this.revisions, this.next] = [[...known, ...page.data], page.next];
    } catch (cause) {
      if (turn === this.turn) this.problem = Problem.from(cause);
    }
    if (turn === this.turn) this.loading = false;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-history": History;
  }
}
