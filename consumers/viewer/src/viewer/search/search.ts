/** `<auditlane-search>`: the query, its chips and the time. */
import { css, html, type TemplateResult } from "lit";
import { customElement, query } from "lit/decorators.js";

import { base } from "../../styles/base.js";
import { Part } from "../part.js";
import "./box.js";
import type { QueryBox } from "./box.js";
import "./chips.js";
import "./filter.js";
import "./range.js";

@customElement("auditlane-search")
export class Search extends Part {
  static override styles = [
    base,
    css`
      :host {
        display: block;
      }
      .line {
        display: flex;
        flex-wrap: wrap;
        align-items: start;
        gap: 0.5rem;
      }
      auditlane-query {
        flex: 1 1 22rem;
        min-width: 0;
      }
      auditlane-filter,
      auditlane-range {
        --drop-height: 2.5rem;
      }
    `,
  ];

  @query("auditlane-query") private box!: QueryBox;

  override focus(options?: FocusOptions): void {
    this.box.focus(options);
  }

  protected override render(): TemplateResult {
    return html`<div class="line">
        <auditlane-query></auditlane-query>
        <auditlane-filter></auditlane-filter>
        <auditlane-range></auditlane-range>
      </div>
      <auditlane-chips @emptied=${() => this.box.focus()}></auditlane-chips>`;
  }
}
