/** `<auditlane-help>`: how to search, in examples that can be tried. */
import { css, html, type TemplateResult } from "lit";
import { customElement, query } from "lit/decorators.js";

import { baseStyles } from "../../styles/base.js";
import { ViewerElement } from "../viewer-element.js";
import "../../elements/dropdown.js";
import type { Dropdown } from "../../elements/dropdown.js";

/** Its event `example` has the example's text as detail. */
@customElement("auditlane-help")
export class SearchHelp extends ViewerElement {
  static override styles = [
    baseStyles,
    css`
      .help {
        max-width: 30rem;
      }
      h3,
      p {
        margin: 0 0 0.4rem;
        font-size: 1em;
      }
      ul {
        margin: 0;
        padding: 0;
        list-style: none;
      }
      li {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 0 0.75rem;
        min-height: 2rem;
      }
      li button {
        min-height: 1.7rem;
        padding: 0 0.4rem;
        border-color: var(--line);
        font-family: var(--mono);
        font-size: 0.93em;
      }
      .mark {
        font-weight: 600;
      }
    `,
  ];

  @query("auditlane-drop") private dropdown!: Dropdown;

  protected override render(): TemplateResult {
    const { help, box } = this.text.search;
    return html`<auditlane-drop quiet label=${help.title} name=${box.help}>
      <span slot="button" class="mark" aria-hidden="true">?</span>
      <div class="help">
        <h3>${help.title}</h3>
        <p>${help.intro}</p>
        <ul>
          ${help.examples.map(
            ([example, meaning]) => html`<li>
              <button aria-label=${help.use(example)} @click=${() => this.useExample(example)}>${example}</button>
              <span class="quietly">${meaning}</span>
            </li>`,
          )}
        </ul>
      </div>
    </auditlane-drop>`;
  }

  private useExample(example: string): void {
    this.dropdown.close();
    this.dispatchEvent(new CustomEvent("example", { detail: example }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-help": SearchHelp;
  }
}
