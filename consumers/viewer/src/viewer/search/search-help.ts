import { html, type TemplateResult } from "lit";
import { query } from "lit/decorators.js";

import { customElement } from "../../elements/define.js";
import "../../elements/dropdown.js";
import type { Dropdown } from "../../elements/dropdown.js";
import { SHORTCUTS } from "../../model/shortcuts.js";
import { baseStyles } from "../../styles/base.js";
import { ViewerElement } from "../viewer-element.js";
import { searchHelpStyles } from "./search-help.styles.js";

const DAY_MS = 86_400_000;

/**
 * @summary Explains the query language with examples to try.
 *
 * @event {CustomEvent<string>} example - An example was chosen; `detail` is its text.
 */
@customElement("auditlane-help")
export class SearchHelp extends ViewerElement {
  static override styles = [baseStyles, searchHelpStyles];

  @query("auditlane-dropdown") private dropdown!: Dropdown;

  protected override render(): TemplateResult {
    const { help, box } = this.text.search;
    const yesterday = new Date(this.viewer.asOf - DAY_MS).toISOString().slice(0, 10); // a day in a query is in UTC
    const examples = [...help.examples, [`occurred_at:${yesterday}`, help.day] as const];
    return html`<auditlane-dropdown quiet label=${help.title} name=${box.help}>
      <span slot="button" class="mark" aria-hidden="true">?</span>
      <div class="help">
        <h3>${help.title}</h3>
        <p>${help.intro}</p>
        <ul>
          ${examples.map(
            ([example, meaning]) => html`<li>
              <button aria-label=${help.use(example)} @click=${() => this.useExample(example)}>${example}</button>
              <span class="quietly">${meaning}</span>
            </li>`,
          )}
        </ul>
        <p>${help.shortcuts(SHORTCUTS.help[0] ?? "")}</p>
      </div>
    </auditlane-dropdown>`;
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
