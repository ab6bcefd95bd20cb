import { html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";

import type { Problem } from "../../api/problem.js";
import { anchor } from "../../elements/anchor.js";
import { customElement } from "../../elements/define.js";
import { correctField, errorRange } from "../../model/query-error.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import { QueryDraft } from "../viewer-state.js";
import { checkQuery } from "./check-query.js";
import { queryBoxStyles } from "./query-box.styles.js";
import { queryErrorMessage } from "./query-error-message.js";
import "./search-help.js";
import { renderOptions } from "./suggestion-options.js";
import { type Suggestion, Suggestions } from "./suggestions.js";

/** How long a search waits for its check. After that, it starts without it, so that the list reports a slow service. */
const CHECK_TIMEOUT_MS = 1_000;

/**
 * @summary The input of the query. It completes the query, and marks errors at their position.
 *
 * @csspart box - The frame with the input and its buttons.
 */
@customElement("auditlane-query")
export class QueryBox extends ViewerElement {
  static override styles = [baseStyles, queryBoxStyles];

  @state() private typed = "";
  @state() private error: Problem | null = null;
  @state() private open = false;
  @state() private active = -1;
  @query("input") private input!: HTMLInputElement;
  @query(".mirror") private mirror!: HTMLElement;
  @query("[popover]") private list!: HTMLElement;
  @query(".frame") private frame!: HTMLElement;

  private readonly suggestions = new Suggestions(this, () => this.viewer);
  private rows: Suggestion[] = [];
  /** The text and the caret at the time when the pointer moved over the suggestions. These stay unchanged while it points at them. */
  private aimedAt: readonly [string, number] | null = null;
  /** The suggestion under the pointer when the button was pressed. The click accepts it, even if the list has changed since. */
  private pressed: Suggestion | null = null;
  private caret = 0;
  private shownQuery: string | null = null;
  private shownDraft: QueryDraft | null = null;
  private checking: AbortController | null = null;
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
    this.shownQuery = null;
    if (this.viewer) this.viewer.draft = null;
  }

  protected override willUpdate(): void {
    const { draft, view } = this.viewer;
    if (view.query !== this.shownQuery || draft !== this.shownDraft) {
      const first = this.shownQuery === null;
      const text = draft?.text ?? view.query;
      this.shownQuery = view.query;
      this.shownDraft = draft;
      if (first || text !== this.typed.trim()) this.replaceText(text, first || this.error !== null);
    }
    if (!this.open || !this.aims) this.rows = this.open ? this.suggestions.at(this.typed, this.caret) : [];
    if (this.active >= this.rows.length) this.active = -1;
  }

  protected override render(): TemplateResult {
    const { box } = this.text.search;
    const shown = this.open && this.rows.length > 0;
    return html`
      <form role="search" class="frame" part="box" @submit=${this.onSubmit} @focusout=${this.onFocusOut}>
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
            .value=${live(this.typed)}
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
        ${this.typed
          ? html`<button type="button" class="quiet icon" aria-label=${box.clear} title=${box.clear} @click=${() => this.search("")}>
              ${icon("close")}
            </button>`
          : nothing}
        <auditlane-help @example=${(event: CustomEvent<string>) => this.search(event.detail)}></auditlane-help>
        <button class=${this.viewer.draft ? "primary" : ""}>${box.apply}</button>
      </form>
      <div
        id="list"
        popover="manual"
        role="listbox"
        aria-label=${box.suggestions}
        @pointerdown=${(event: Event) => event.preventDefault()}
        @pointermove=${() => (this.aimedAt = [this.typed, this.caret])}
        @pointerleave=${this.onAimEnd}
      >
        ${shown ? renderOptions(this.rows, this.active, this.viewer, this.optionActions) : nothing}
      </div>
      ${this.error ? this.renderError(this.error) : nothing}
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
    const text = this.typed;
    const range = this.error?.column ? errorRange(text, this.error.column) : null;
    if (!range) return text;
    const [begin, end] = range;
    return html`${text.slice(0, begin)}<mark>${text.slice(begin, end) || "\u00a0"}</mark>${text.slice(end)}`;
  }

  private renderError(problem: Problem): TemplateResult {
    const correction = correctField(this.typed, problem);
    const action = correction && { field: correction.field, apply: () => this.search(correction.query) };
    return queryErrorMessage(problem, this.text, { correction: action, shownQuery: this.viewer.draft ? this.viewer.view.query.trim() : null });
  }

  private readonly onInput = (): void => {
    this.checking?.abort();
    this.setTyped(this.input.value);
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
      this.accept(this.rows[this.active]);
    } else if (event.key === "Escape" && this.open && this.rows.length) {
      event.preventDefault();
      event.stopPropagation();
      this.close(); // keeps the typed text
    }
  };

  private moveActive(by: number): void {
    const count = this.rows.length + 1; // the input itself is one of the positions of the arrow keys
    this.active = ((this.active + 1 + by + count) % count) - 1;
  }

  private readonly optionActions = {
    press: (row: Suggestion): void => void (this.pressed = row),
    accept: (row: Suggestion): void => this.accept(this.pressed ?? row),
  };

  private get aims(): boolean {
    return this.aimedAt !== null && this.aimedAt[0] === this.typed && this.aimedAt[1] === this.caret;
  }

  private readonly onAimEnd = (): void => {
    this.aimedAt = null;
    this.requestUpdate();
  };

  private accept(suggestion: Suggestion | undefined): void {
    this.aimedAt = null;
    this.pressed = null;
    if (!suggestion) return;
    const [text, caret] = suggestion.edit;
    this.setTyped(text);
    this.caret = caret;
    this.open = suggestion.open;
    this.active = -1;
    this.error = null;
    void this.updateComplete.then(() => this.input.setSelectionRange(this.caret, this.caret));
    if (!suggestion.open) this.applyTyped();
  }

  private readonly close = (): void => {
    this.open = false;
    this.aimedAt = null;
    this.pressed = null;
    this.active = -1;
    this.suggestions.reset();
  };

  private readonly onSubmit = (event: Event): void => {
    event.preventDefault();
    this.search(this.typed);
  };

  /** Applies the text when the focus moves elsewhere in the page, so that the list always matches the box. */
  private readonly onFocusOut = (event: FocusEvent): void => {
    const inside = event.relatedTarget instanceof Node && this.renderRoot.contains(event.relatedTarget);
    if (!inside && document.hasFocus() && this.isConnected && this.viewer.draft && !this.error) {
      this.setTyped(this.typed.trim());
      this.applyTyped();
    }
  };

  private search(text: string): void {
    this.close();
    this.error = null;
    this.setTyped(text.trim());
    this.input.focus();
    this.applyTyped();
  }

  /** Searches for the text if it is valid. Otherwise, the query of the view is kept. */
  private applyTyped(): void {
    void this.viewer.changeSearch((query) => ({ query }));
  }

  private setTyped(typed: string): void {
    const text = typed.trim();
    this.typed = typed;
    this.viewer.draft = text === this.viewer.view.query.trim() ? null : new QueryDraft(text, (checked) => this.mayApply(checked));
    this.shownDraft = this.viewer.draft;
  }

  /** Shows a text that was changed elsewhere. */
  private replaceText(text: string, check: boolean): void {
    this.checking?.abort();
    this.typed = text;
    this.error = null;
    if (check && text) void this.check(text);
  }

  /** Resolves to whether a query can be applied, because it is valid or because its check is slow. */
  private async mayApply(text: string): Promise<boolean> {
    const timeout = new Promise<"timeout">((resolve) => setTimeout(resolve, CHECK_TIMEOUT_MS, "timeout"));
    return (await Promise.race([this.check(text), timeout])) !== "invalid";
  }

  /** Resolves to whether the query is valid. It counts as invalid if another check has replaced this one. */
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
