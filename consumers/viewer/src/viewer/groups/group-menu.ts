import { html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";

import { customElement } from "../../elements/define.js";
import { isComparable } from "../../model/comparison.js";
import { isCountable, matchingFields, offeredFields, type QueryField, queryFields } from "../../model/query-fields.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { filterMenuStyles } from "../search/filter-menu.styles.js";
import { Suggestions } from "../search/suggestions.js";
import { ViewerElement } from "../viewer-element.js";
import { groupMenuStyles } from "./group-menu.styles.js";

/**
 * @summary Chooses the field by which events are grouped, and whether they are compared with the preceding period.
 *
 * @event done - The menu is no longer needed (bubbles, composed).
 */
@customElement("auditlane-group-menu")
export class GroupMenu extends ViewerElement {
  static override styles = [baseStyles, filterMenuStyles, groupMenuStyles];

  @state() private filterText = "";
  @query(".find") private input!: HTMLElement;

  private readonly suggestions = new Suggestions(this, () => this.viewer);

  protected override firstUpdated(): void {
    this.input.focus({ preventScroll: true });
  }

  protected override render(): TemplateResult {
    const { groups } = this.text;
    const { view, asOf } = this.viewer;
    const known = queryFields(this.viewer.fields, this.text.search.fields).filter((field) => field.filterable && isCountable(field.kind));
    const fields = matchingFields([...offeredFields(known), ...this.suggestions.metadataKeys()], this.filterText);
    const byGroup = Map.groupBy(fields, ({ parameter }) => (parameter.startsWith("metadata.") ? groups.metadata : groups.fields));
    return html`<div class="panel">
      <input
        class="find"
        type="search"
        aria-label=${groups.search}
        placeholder=${groups.search}
        .value=${this.filterText}
        @input=${(event: Event) => (this.filterText = (event.target as HTMLInputElement).value)}
      />
      <div class="fields">
        ${view.group && !this.filterText ? html`<ul>${this.renderChoice("", groups.ungrouped)}</ul>` : nothing}
        ${[...byGroup].map(
          ([name, found]) => html`<h3>${name}</h3>
            <ul aria-label=${name}>
              ${found.map((field: QueryField) => this.renderChoice(field.parameter, field.name))}
            </ul>`,
        )}
        ${fields.length ? nothing : html`<p class="quietly">${groups.nothing}</p>`}
      </div>
      <label class="access">
        <input
          type="checkbox"
          aria-describedby="compare-note"
          .checked=${view.compare}
          @change=${(event: Event) => this.viewer.setView({ compare: (event.target as HTMLInputElement).checked })}
        />
        <span
          >${groups.compare}<span class="quietly small" id="compare-note"
            >${view.group && view.compare && !isComparable(view.range, asOf) ? groups.noPeriod : groups.compareNote}</span
          ></span
        >
      </label>
    </div>`;
  }

  private renderChoice(parameter: string, name: string): TemplateResult {
    const chosen = parameter === this.viewer.view.group;
    return html`<li>
      <button class="quiet" aria-current=${chosen ? "true" : nothing} @click=${() => this.choose(parameter)}>
        <span>${name}</span>${chosen ? icon("check") : nothing}
      </button>
    </li>`;
  }

  private choose(group: string): void {
    this.viewer.setView({ group });
    this.dispatchEvent(new CustomEvent("done", { bubbles: true, composed: true }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-group-menu": GroupMenu;
  }
}
