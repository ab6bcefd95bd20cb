import { html, nothing, type TemplateResult } from "lit";
import { query } from "lit/decorators.js";

import { customElement } from "../../elements/define.js";
import { visible } from "../../model/format/text.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import "./chips.js";
import "./filter-menu.js";
import type { FilterMenu } from "./filter-menu.js";
import "./query-box.js";
import type { QueryBox } from "./query-box.js";
import "./range-menu.js";
import type { RangeMenu } from "./range-menu.js";
import { searchStyles } from "./search.styles.js";

/** @summary The query, its chips, the filter menu and the time range. */
@customElement("auditlane-search")
export class Search extends ViewerElement {
  static override styles = [baseStyles, searchStyles];

  @query("auditlane-query") private box!: QueryBox;
  @query("auditlane-filter") private filter!: FilterMenu;
  @query("auditlane-range") private range!: RangeMenu;

  /** Opens the filter menu or the choice of the time range. */
  show(menu: "filter" | "range"): void {
    this[menu].show();
  }

  override focus(options?: FocusOptions): void {
    this.box.focus(options);
  }

  protected override render(): TemplateResult {
    const { invalidRange } = this.viewer;
    return html`<div class="line">
        <auditlane-query></auditlane-query>
        <auditlane-filter></auditlane-filter>
        <auditlane-range></auditlane-range>
      </div>
      ${invalidRange ? html`<p class="invalid-range" role="status">${icon("warning")}${this.text.search.range.unread(visible(invalidRange))}</p>` : nothing}
      <auditlane-chips @emptied=${() => this.box.focus()}></auditlane-chips>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-search": Search;
  }
}
