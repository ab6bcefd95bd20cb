import { html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";

import { customElement } from "../../elements/define.js";
import "../../elements/dropdown.js";
import type { Dropdown } from "../../elements/dropdown.js";
import { parsePicks } from "../../model/picks.js";
import { hasValueSearch, isCountable, matchingFields, offeredFields, type QueryField, queryFields } from "../../model/query-fields.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import { filterMenuStyles } from "./filter-menu.styles.js";
import { Suggestions } from "./suggestions.js";

const MIN_TYPED = 2; // characters from which values are searched

/** @summary Adds filters without typing: first a field, then its values. */
@customElement("auditlane-filter")
export class FilterMenu extends ViewerElement {
  static override styles = [baseStyles, filterMenuStyles];

  @state() private open = false;
  @state() private filterText = "";
  @state() private field: QueryField | null = null;
  /** Describes the filter that was just added. */
  @state() private added = "";
  @query("auditlane-dropdown") private dropdown!: Dropdown;

  private readonly suggestions = new Suggestions(this, () => this.viewer);
  private fields: QueryField[] = [];

  /** Opens the menu. */
  show(): void {
    void this.dropdown.show();
  }

  protected override willUpdate(): void {
    if (!this.open) return;
    const known = queryFields(this.viewer.fields, this.text.search.fields).filter((field) => field.filterable && isCountable(field.kind));
    this.fields = matchingFields([...offeredFields(known), ...this.suggestions.metadataKeys()], this.filterText);
  }

  protected override render(): TemplateResult {
    const { filter } = this.text.search;
    return html`<auditlane-dropdown label=${filter.title} @opened=${this.onOpened} @closed=${this.onClosed}>
      <span slot="button">${icon("filter")}</span><span slot="button">${filter.open}</span>
      ${this.open
        ? html`<div class="panel" @done=${() => this.dropdown.close()}>
            ${this.field ? this.renderValues(this.field) : this.renderFields()}
          </div>`
        : nothing}
    </auditlane-dropdown>`;
  }

  private renderFields(): TemplateResult {
    const { filter } = this.text.search;
    const groups = Map.groupBy(this.fields, ({ parameter }) => (parameter.startsWith("metadata.") ? filter.metadata : filter.fields));
    return html`<input
        class="find"
        type="search"
        aria-label=${filter.search}
        placeholder=${filter.search}
        .value=${this.filterText}
        @input=${this.onFind}
        @keydown=${this.onFindKeydown}
      />
      <p class="added" role="status">${this.added}</p>
      <div class="fields">
        ${[...groups].map(
          ([name, fields]) => html`<h3>${name}</h3>
            <ul aria-label=${name}>
              ${fields.map((field) => this.renderField(field))}
            </ul>`,
        )}
        ${this.filterText.trim().length < MIN_TYPED
          ? nothing
          : html`<auditlane-value-matches
              .typed=${this.filterText}
              .alone=${!this.fields.length}
              @chosen=${this.onValueChosen}
            ></auditlane-value-matches>`}
      </div>
      <label class="access">
        <input
          type="checkbox"
          aria-describedby="access-note"
          .checked=${this.viewer.preferences.access}
          @change=${(event: Event) => this.viewer.showAccess((event.target as HTMLInputElement).checked)}
        />
        <span>${filter.access}<span class="quietly small" id="access-note">${filter.accessNote}</span></span>
      </label>`;
  }

  private renderField(field: QueryField): TemplateResult {
    const picks = parsePicks(this.viewer.view.query, field.parameter);
    const count = picks.included.length + picks.excluded.length;
    return html`<li>
      <button class="quiet" @click=${() => this.choose(field)}>
        <span>${field.name}</span>
        ${count ? html`<span class="picked">${this.text.search.filter.picked(count)}</span>` : nothing}
      </button>
    </li>`;
  }

  private renderValues(field: QueryField): TemplateResult {
    const { filter } = this.text.search;
    return html`<header>
        <button class="icon" aria-label=${filter.back} title=${filter.back} @click=${() => this.choose(null)}>${icon("back")}</button>
        <strong>${field.name}</strong>
      </header>
      <auditlane-facet parameter=${field.parameter}></auditlane-facet>`;
  }

  private choose(field: QueryField | null): void {
    this.field = field;
    this.filterText = "";
    this.added = "";
    void this.moveFocus();
  }

  private readonly onFind = (event: Event): void => {
    this.filterText = (event.target as HTMLInputElement).value;
    this.added = "";
  };

  /** Chooses the first field, or the first value if there is no field, when Enter is pressed. */
  private readonly onFindKeydown = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || event.isComposing || !this.filterText.trim()) return;
    event.preventDefault();
    const [first] = this.fields;
    if (first) this.choose(first);
    else void this.chooseFirstValue();
  };

  /** Loads the values first, since Enter may be pressed while their module is loading. */
  private async chooseFirstValue(): Promise<void> {
    const { filterText } = this;
    if (!(await this.viewer.lazyImports.load(() => import("./value-matches.js"))) || filterText !== this.filterText) return;
    await this.updateComplete;
    this.renderRoot.querySelector("auditlane-value-matches")?.chooseFirst();
  }

  /** Keeps the menu open for the next filter. */
  private readonly onValueChosen = (event: CustomEvent<string>): void => {
    this.filterText = "";
    this.added = this.text.search.filter.chosen(event.detail);
    void this.moveFocus();
  };

  private readonly onOpened = (): void => {
    this.open = true;
    this.field = null;
    this.filterText = "";
    this.added = "";
    void this.viewer.lazyImports.load(() => import("./value-matches.js"));
    void this.moveFocus();
  };

  private readonly onClosed = (): void => {
    this.open = false;
  };

  /** Focuses the first control in the content that was just rendered. */
  private async moveFocus(): Promise<void> {
    const { field } = this;
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(field ? "header button" : ".find")?.focus({ preventScroll: true });
    if (!field || !(await this.viewer.lazyImports.load(() => import("./facet-list.js"))) || field !== this.field) return;
    if (hasValueSearch(field.kind)) this.renderRoot.querySelector("auditlane-facet")?.focus({ preventScroll: true });
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-filter": FilterMenu;
  }
}
