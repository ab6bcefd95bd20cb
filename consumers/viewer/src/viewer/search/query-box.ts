/** `<auditlane-query>`: the box with the query: completion, and what is wrong with it, shown where it is. */
import { html, nothing, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";

import type { Problem } from "../../api/problem.js";
import { caretTermAt } from "../../model/completion.js";
import { errorRange } from "../../model/query-error.js";
import { base } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import { anchor } from "../../elements/anchored.js";
import { boxStyles } from "./query-box.styles.js";
import { checkQuery } from "./check-query.js";
import "./search-help.js";
import { optionsOf } from "./suggestion-options.js";
import { type Suggestion, Suggestions } from "./suggestions.js";
import { queryErrorMessage } from "./query-error-message.js";

/** A service that says nothing for so long is asked for the events themselves: then it is seen that it takes its time. */
const PATIENCE_MS = 1_000;

@customElement("auditlane-query")
export class QueryBox extends ViewerElement {
  static override styles = [base, boxStyles];

  @state() private draft = "";
  @state() private wrong: Problem | null = null;
  @state() private open = false;
  @state() private active = -1;
  @query("input") private input!: HTMLInputElement;
  @query(".mirror") private mirror!: HTMLElement;
  @query("[popover]") private list!: HTMLElement;
  @query(".frame") private frame!: HTMLElement;

  private readonly suggestions = new Suggestions(this, () => this.viewer);
  private rows: Suggestion[] = [];
  private caret = 0;
  private seen: string | null = null;
  private under: AbortController | null = null;
  /** What is looked for before it is known whether the service understands it. */
  private unsure = "";
  private stop: (() => void) | null = null;

  override focus(options?: FocusOptions): void {
    this.input.focus(options);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.under?.abort();
    this.stop?.();
    this.stop = null;
    this.open = false;
  }

  protected override willUpdate(): void {
    const present = this.viewer.view.query;
    if (present !== this.seen) {
      const first = this.seen === null;
      this.under?.abort(); // what was about to be looked for is overtaken
      [this.seen, this.draft, this.wrong] = [present, present, null];
      const unsure = first || present === this.unsure; // an address may have been written by hand
      if (unsure && present) void this.check(present);
    }
    this.rows = this.open ? this.suggestions.at(this.draft, caretTermAt(this.draft, this.caret)) : [];
    if (this.active >= this.rows.length) this.active = -1;
  }

  protected override render(): TemplateResult {
    const { box } = this.text.search;
    const shown = this.open && this.rows.length > 0;
    const dirty = this.draft.trim() !== this.viewer.view.query.trim();
    return html`
      <form role="search" class="frame" part="box" @submit=${this.submit}>
        ${icon("search")}
        <div class="field">
          <div class="mirror" aria-hidden="true">${this.underlined()}</div>
          <input
            type="text"
            role="combobox"
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            enterkeyhint="search"
            maxlength="4096"
            aria-label=${box.label}
            aria-describedby=${this.wrong ? "wrong" : "keys"}
            aria-invalid=${this.wrong !== null}
            aria-autocomplete="list"
            aria-expanded=${shown}
            aria-controls="list"
            aria-activedescendant=${shown && this.active >= 0 ? `row${this.active}` : nothing}
            placeholder=${box.placeholder}
            .value=${live(this.draft)}
            @input=${this.typed}
            @keydown=${this.pressed}
            @keyup=${this.moved}
            @click=${this.moved}
            @focus=${this.moved}
            @blur=${this.close}
            @scroll=${this.scrolled}
          />
        </div>
        <span class="unseen" id="keys">${box.keys}</span>
        <span class="unseen" role="status">${shown ? box.count(this.rows.length) : ""}</span>
        ${this.draft
          ? html`<button type="button" class="quiet icon" aria-label=${box.clear} title=${box.clear} @click=${() => this.take("")}>
              ${icon("close")}
            </button>`
          : nothing}
        <auditlane-help @example=${(event: CustomEvent<string>) => this.take(event.detail)}></auditlane-help>
        <button class=${dirty ? "primary" : ""}>${box.apply}</button>
      </form>
      <div
        id="list"
        popover="manual"
        role="listbox"
        aria-label=${box.suggestions}
        @pointerdown=${(event: Event) => event.preventDefault()}
      >
        ${shown ? optionsOf(this.rows, this.active, this.viewer, (place) => this.accept(place)) : nothing}
      </div>
      ${this.wrong ? queryErrorMessage(this.wrong, this.text) : nothing}
    `;
  }

  protected override updated(): void {
    const shown = this.open && this.rows.length > 0;
    if (shown && !this.stop) {
      this.list.showPopover();
      this.stop = anchor(this.list, this.frame, { wide: true });
    } else if (!shown && this.stop) {
      this.stop();
      this.stop = null;
      if (this.list.matches(":popover-open")) this.list.hidePopover();
    }
    if (this.active >= 0) this.list.querySelector(`#row${this.active}`)?.scrollIntoView({ block: "nearest" });
    this.scrolled();
  }

  private underlined(): TemplateResult | string {
    const place = this.wrong?.column ? errorRange(this.draft, this.wrong.column) : null;
    if (!place) return this.draft;
    const [begin, end] = place;
    return html`${this.draft.slice(0, begin)}<mark>${this.draft.slice(begin, end) || "\u00a0"}</mark>${this.draft.slice(end)}`;
  }

  private readonly typed = (): void => {
    this.under?.abort();
    [this.draft, this.caret] = [this.input.value, this.input.selectionStart ?? this.input.value.length];
    [this.open, this.active, this.wrong] = [true, -1, null];
  };

  /** The caret may be elsewhere; the suggestions are those of its place. */
  private readonly moved = (event: Event): void => {
    const caret = this.input.selectionStart ?? 0;
    if (event.type === "click") this.open = true;
    if (caret === this.caret) return;
    this.caret = caret;
    this.requestUpdate();
  };

  private readonly pressed = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!this.open) this.caret = this.input.selectionStart ?? 0;
      else if (this.rows.length) this.step(event.key === "ArrowDown" ? 1 : -1);
      this.open = true;
    } else if (event.key === "Enter" && this.active >= 0) {
      event.preventDefault();
      this.accept(this.active);
    } else if (event.key === "Escape" && this.open && this.rows.length) {
      event.preventDefault();
      event.stopPropagation();
      this.close(); // what was typed stays
    }
  };

  private step(by: number): void {
    const count = this.rows.length + 1; // the box itself is one of the places
    this.active = ((this.active + 1 + by + count) % count) - 1;
  }

  private accept(place: number): void {
    const row = this.rows[place];
    if (!row) return;
    [this.draft, this.caret] = row.edited;
    [this.open, this.active, this.wrong] = [row.open, -1, null];
    void this.updateComplete.then(() => this.input.setSelectionRange(this.caret, this.caret));
  }

  private readonly close = (): void => {
    [this.open, this.active] = [false, -1];
    this.suggestions.rest();
  };

  private readonly submit = (event: Event): void => {
    event.preventDefault();
    this.take(this.draft);
  };

  /** Looks for it, if the service understands it; if not, what was looked for stays. */
  private take(draft: string): void {
    this.close();
    this.draft = draft.trim();
    this.input.focus();
    void this.apply(this.draft);
  }

  private async apply(text: string): Promise<void> {
    if (text !== this.viewer.view.query) {
      const patience = new Promise<"late">((resolve) => setTimeout(resolve, PATIENCE_MS, "late"));
      const found = await Promise.race([this.check(text), patience]);
      if (found === "no") return;
      this.unsure = found === "late" ? text : "";
    }
    this.viewer.setView({ query: text });
  }

  /** Whether it may be looked for; "no" also when something else was asked meanwhile. */
  private async check(text: string): Promise<"yes" | "no"> {
    this.under?.abort();
    const own = new AbortController();
    this.under = own;
    this.wrong = null;
    if (!text) return "yes";
    const mistake = await checkQuery(this.viewer.client, text, own.signal);
    if (own.signal.aborted) return "no";
    this.wrong = mistake;
    return mistake ? "no" : "yes";
  }

  private readonly scrolled = (): void => {
    this.mirror.scrollLeft = this.input.scrollLeft;
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-query": QueryBox;
  }
}
