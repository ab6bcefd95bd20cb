import { css, html, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";

import { customElement } from "../../elements/define.js";
import { searchProgressTexts } from "../../i18n/search-progress.js";
import { clockOf } from "../../model/format/time.js";
import { baseStyles } from "../../styles/base.js";
import { localeOf } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import type { List } from "./list.js";

/** @summary Shows how far a long search has progressed, and continues or stops it. */
@customElement("auditlane-search-progress")
export class SearchProgress extends ViewerElement {
  static override styles = [
    baseStyles,
    css`
      :host {
        display: flex;
        align-items: center;
        gap: 0.75rem;
      }
      p {
        margin: 0;
      }
    `,
  ];

  @property({ attribute: false }) list!: List;
  /** The time that the search has reached. */
  @property({ attribute: false }) to = "";
  @property({ attribute: false }) searching = false;

  protected override render(): TemplateResult {
    const { viewer, searching } = this;
    const texts = searchProgressTexts[viewer.language];
    const time = clockOf(localeOf(viewer), viewer.zone).brief(this.to, Date.now());
    return html`<p role="status">${searching ? texts.searching(time) : texts.paused(time)}</p>
      <button @click=${() => this.list.loader.searchFurther(!searching)}>${searching ? this.text.reading.cancel : texts.further}</button>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-search-progress": SearchProgress;
  }
}
