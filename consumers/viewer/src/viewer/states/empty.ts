/** `<auditlane-empty>`: nothing to show: because nothing was ever sent, or because nothing matches what is looked for. */
import { css, html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import { EVER } from "../../model/range.js";
import { timeTold } from "../../model/told.js";
import { base } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { Part } from "../part.js";

/** For the table's place when a list has no event. */
@customElement("auditlane-empty")
export class Empty extends Part {
  static override styles = [
    base,
    css`
      :host {
        display: grid;
        place-items: center;
        padding: 2rem 1rem;
      }
      .box {
        display: flex;
        flex-direction: column;
        align-items: center;
        gap: 0.6rem;
        max-width: 36rem;
        text-align: center;
      }
      .box > .icon {
        width: 1.75rem;
        height: 1.75rem;
        color: var(--ink-2);
      }
      p {
        margin: 0;
        overflow-wrap: anywhere;
      }
      .head {
        font-size: 1.1em;
        font-weight: 600;
      }
      code {
        padding: 0.1em 0.35em;
        border-radius: calc(var(--radius) * 0.67);
        background: var(--ground-3);
      }
      .ways {
        display: flex;
        flex-wrap: wrap;
        justify-content: center;
        gap: 0.5rem;
        margin-block-start: 0.4rem;
      }
    `,
  ];

  protected override render(): TemplateResult {
    const { states } = this.text;
    const { query, range } = this.log.view;
    const time = timeTold(range, this.text, this.log.language, this.log.zone);
    if (!query.trim() && !time) {
      return html`<div class="box" part="empty" role="status">
        ${icon("clock")}
        <p class="head">${states.nothingYet}</p>
        <p class="quietly">${states.nothingYetAdvice}</p>
      </div>`;
    }
    return html`<div class="box" part="empty">
      ${icon("search")}
      <div role="status">
        <p class="head">${states.nothingMatches}</p>
        ${query.trim() ? html`<p>${states.youLookFor}: <code>${query.trim()}</code></p>` : nothing}
        ${time ? html`<p>${states.inTime}: ${time}</p>` : nothing}
      </div>
      <div class="ways">
        ${query.trim()
          ? html`<button @click=${() => this.log.look({ query: "" })}>${icon("close")}${states.clearFilters}</button>`
          : nothing}
        ${time
          ? html`<button @click=${() => this.log.look({ range: EVER })}>${icon("clock")}${states.allTime}</button>`
          : nothing}
      </div>
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-empty": Empty;
  }
}
