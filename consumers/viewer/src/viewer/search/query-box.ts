import { html, nothing, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";

import type { Problem } from "../../api/problem.js";
import { anchor } from "../../elements/anchor.js";
import { errorRange } from "../../model/query-error.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import { checkQuery } from "./check-query.js";
import { queryBoxStyles } from "./query-box.styles.js";
import { queryErrorMessage } from "./query-error-message.js";
import "./search-help.js";
import { renderOptions } from "./suggestion-options.js";
import { type Suggestion, Suggestions } from "./suggestions.js";

/** How long a search waits for its check. After that it starts without the check, so that the list reports a slow service. */
const CHECK_TIMEOUT_MS = 1_000;

/**
 * @summary The input of the query: completes it, and marks errors at their position.
 *
 * @csspart box - The frame with the input and its buttons.
 */
@customElement("auditlane-query")
export class QueryBox extends ViewerElement {
  static override styles = [baseStyles, queryBoxStyles];

  @state() private draft = "";
  @state() private error: Problem | null = null;
  @state() private open = false;
  @state() private active = -1;
  @query("input") private input!: HTMLInputElement;
  @query(".mirror") private mirror!: HTMLElement;
  @query("[popover]") private list!: HTMLElement;
  @query(".frame") private frame!: HTMLElement;

  private readonly suggestions = new Suggestions(this, () => this.viewer);
  private rows: Suggestion[] = [];
  private caret = 0;
  private shownQuery: string | null = null;
  private checking: AbortController | null = null;
  /** The query that was applied before its check ended. */
  private unchecked = "";
  private release: (() => void) | null = null;

  override focus(options?: FocusOptions): void {
    this.input.focus(options);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.checking?.abort();
    this.release?.();
    this.release = null;
    this.open = false;
  }

  protected override willUpdate(): void {
    const current = this.viewer.view.query;
    if (current !== this.shownQuery) {
      const first = this.shownQuery === null;
      this.checking?.abort(); // a newer query replaces it
      this.shownQuery = current;
      this.draft = current;
      this.error = null;
      const mustCheck = first || current === this.unchecked; // an address may have been typed manually
      if (mustCheck && current) void this.check(current);
    }
    this.rows = this.open ? this.suggestions.at(this.draft, this.caret) : [];
    if (this.active >= this.rows.length) this.active = -1;
  }

  protected override render(): TemplateResult {
    const { box } = this.text.search;
    const shown = this.open && this.rows.length > 0;
    const changed = this.draft.trim() !== this.viewer.view.query.trim();
    return html`
      <form role="search" class="frame" part="box" @submit=${this.onSubmit}>
        ${icon("search")}
        <div class="field">
          <div class="mirror" aria-hidden="true">${this.renderMirror()}</div>
          <input
            type="text"
            role="combobox"
            autocomplete="off"
            autocapitalize="off"
            spellcheck="false"
            enterkeyhint="search"
            maxlength="4096"
            aria-label=${box.label}
            aria-describedby=${this.error ? "wrong" : "keys"}
            aria-invalid=${this.error !== null}
            aria-autocomplete="list"
            aria-expanded=${shown}
            aria-controls="list"
            aria-activedescendant=${shown && this.active >= 0 ? `row${this.active}` : nothing}
            placeholder=${box.placeholder}
            .value=${live(this.draft)}
            @input=${this.onInput}
            @keydown=${this.onKeydown}
            @keyup=${this.onCaretMoved}
            @click=${this.onCaretMoved}
            @focus=${this.onCaretMoved}
            @blur=${this.close}
            @scroll=${this.syncScroll}
          />
        </div>
        <span class="unseen" id="keys">${box.keys}</span>
        <span class="unseen" role="status">${shown ? box.count(this.rows.length) : ""}</span>
        ${this.draft
          ? html`<button type="button" class="quiet icon" aria-label=${box.clear} title=${box.clear} @click=${() => this.applyDraft("")}>
              ${icon("close")}
            </button>`
          : nothing}
        <auditlane-help @example=${(event: CustomEvent<string>) => this.applyDraft(event.detail)}></auditlane-help>
        <button class=${changed ? "primary" : ""}>${box.apply}</button>
      </form>
      <div
        id="list"
        popover="manual"
        role="listbox"
        aria-label=${box.suggestions}
        @pointerdown=${(event: Event) => event.preventDefault()}
      >
        ${shown ? renderOptions(this.rows, this.active, this.viewer, (index) => this.accept(index)) : nothing}
      </div>
      ${this.error ? queryErrorMessage(this.error, this.text) : nothing}
    `;
  }

  protected override updated(): void {
    const shown = this.open && this.rows.length > 0;
    if (shown && !this.release) {
      this.list.showPopover();
      this.release = anchor(this.list, this.frame, { wide: true });
    } else if (!shown && this.release) {
      this.release();
      this.release = null;
      if (this.list.matches(":popover-open")) this.list.hidePopover();
    }
    if (this.active >= 0) this.list.querySelector(`#row${this.active}`)?.scrollIntoView({ block: "nearest" });
    this.syncScroll();
  }

  private renderMirror(): TemplateResult | string {
    const range = this.error?.column ? errorRange(this.draft, this.error.column) : null;
    if (!range) return this.draft;
    const [begin, end] = range;
    return html`${this.draft.slice(0, begin)}<mark>${this.draft.slice(begin, end) || "\u00a0"}</mark>${this.draft.slice(end)}`;
  }

  private readonly onInput = (): void => {
    this.checking?.abort();
    this.draft = this.input.value;
    this.caret = this.input.selectionStart ?? this.input.value.length;
    this.open = true;
    this.active = -1;
    this.error = null;
  };

  /** Updates the suggestions after the caret has moved. */
  private readonly onCaretMoved = (event: Event): void => {
    const caret = this.input.selectionStart ?? 0;
    if (event.type === "click") this.open = true;
    if (caret === this.caret) return;
    this.caret = caret;
    this.requestUpdate();
  };

  private readonly onKeydown = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!this.open) this.caret = this.input.selectionStart ?? 0;
      else if (this.rows.length) this.moveActive(event.key === "ArrowDown" ? 1 : -1);
      this.open = true;
    } else if (event.key === "Enter" && this.active >= 0) {
      event.preventDefault();
      this.accept(this.active);
    } else if (event.key === "Escape" && this.open && this.rows.length) {
      event.preventDefault();
      event.stopPropagation();
      this.close(); // keeps the typed text
    }
  };

  private moveActive(by: number): void {
    const count = this.rows.length + 1; // the input itself is one of the positions
    this.active = ((this.active + 1 + by + count) % count) - 1;
  }

  private accept(index: number): void {
    const suggestion = this.rows[index];
    if (!suggestion) return;
    const [text, caret] = suggestion.edit;
    this.draft = text;
    this.caret = caret;
    this.open = suggestion.open;
    this.active = -1;
    this.error = null;
    void this.updateComplete.then(() => this.input.setSelectionRange(this.caret, this.caret));
  }

  private readonly close = (): void => {
    this.open = false;
    this.active = -1;
    this.suggestions.reset();
  };

  private readonly onSubmit = (event: Event): void => {
    event.preventDefault();
    this.applyDraft(this.draft);
  };

  /** Searches for the draft if it is valid; otherwise keeps the current query. */
  private applyDraft(draft: string): void {
    this.close();
    this.draft = draft.trim();
    this.input.focus();
    void this.apply(this.draft);
  }

  private async apply(text: string): Promise<void> {
    if (text !== this.viewer.view.query) {
      const timeout = new Promise<"timeout">((resolve) => setTimeout(resolve, CHECK_TIMEOUT_MS, "timeout"));
      const outcome = await Promise.race([this.check(text), timeout]);
      if (outcome === "invalid") return;
      this.unchecked = outcome === "timeout" ? text : "";
    }
    this.viewer.setView({ query: text });
  }

  /** Resolves to whether the query is valid; it counts as invalid if another check has replaced this one. */
  private async check(text: string): Promise<"valid" | "invalid"> {
    this.checking?.abort();
    const controller = new AbortController();
    this.checking = controller;
    this.error = null;
    if (!text) return "valid";
    const problem = await checkQuery(this.viewer.client, text, controller.signal);
    if (controller.signal.aborted) return "invalid";
    this.error = problem;
    return problem ? "invalid" : "valid";
  }

  private readonly syncScroll = (): void => {
    this.mirror.scrollLeft = this.input.scrollLeft;
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-query": QueryBox;
  }
}
