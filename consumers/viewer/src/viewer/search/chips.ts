import { html, nothing, type TemplateResult } from "lit";

import { customElement } from "../../elements/define.js";
import { splitAlternatives, withoutTerm } from "../../model/query.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { describeTerm } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import { chipsStyles } from "./chips.styles.js";

/**
 * @summary Shows each term of the query in words, with a button that removes it.
 *
 * @event emptied - The last term was removed, so the focus has to move elsewhere.
 */
@customElement("auditlane-chips")
export class Chips extends ViewerElement {
  static override styles = [baseStyles, chipsStyles];

  protected override render(): TemplateResult | typeof nothing {
    const alternatives = splitAlternatives(this.viewer.view.query);
    if (!alternatives.length) return nothing;
    const { chips } = this.text.search;
    return html`<ul aria-label=${chips.label}>
      ${alternatives.map(
        (terms, index) => html`
          ${index ? html`<li class="quietly">${chips.or}</li>` : nothing} ${terms.map((term) => this.chip(term))}
        `,
      )}
      <li><button class="quiet clear" @click=${this.clear}>${chips.clear}</button></li>
    </ul>`;
  }

  private chip(term: string): TemplateResult {
    const label = describeTerm(this.viewer, term);
    const remove = this.text.search.chips.remove(label);
    return html`<li class="chip" title=${term}>
      <span class="words">${label}</span>
      <button class="quiet" aria-label=${remove} title=${remove} @click=${(event: Event) => this.removeTerm(term, event)}>
        ${icon("close")}
      </button>
    </li>`;
  }

  /** Removes a term, and focuses the chip that takes its place. */
  private async removeTerm(term: string, event: Event): Promise<void> {
    const buttons = (): HTMLElement[] => [...this.renderRoot.querySelectorAll<HTMLElement>(".chip button")];
    const index = buttons().indexOf(event.currentTarget as HTMLElement);
    await this.viewer.changeSearch((query) => ({ query: withoutTerm(query, term) }));
    if (!this.viewer.view.query) return void this.dispatchEvent(new Event("emptied"));
    await this.updateComplete;
    (buttons()[index] ?? buttons().at(-1))?.focus();
  }

  private readonly clear = (): void => {
    this.viewer.setView({ query: "" });
    this.dispatchEvent(new Event("emptied"));
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-chips": Chips;
  }
}
