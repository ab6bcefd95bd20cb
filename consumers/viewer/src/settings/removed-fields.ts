import { html, nothing, type TemplateResult } from "lit";

import type { Field } from "../api/structure.js";
import { customElement } from "../elements/define.js";
import { fieldType } from "../model/structure/form.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { removedFieldsStyles } from "./removed-fields.styles.js";
import { sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

/**
 * @summary Lists removed fields, with a button that restores each.
 *
 * @csspart removed - The card.
 */
@customElement("auditlane-settings-removed")
export class RemovedFields extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, removedFieldsStyles];

  protected override render(): TemplateResult | typeof nothing {
    const removed = this.settings.loaded?.structure.removed ?? [];
    if (!removed.length) return nothing;
    const words = this.text.removed;
    return html`<section class="card" part="removed" aria-labelledby="title">
      <h3 id="title">${words.title}</h3>
      <p class="quietly">${words.lead}</p>
      <ul>
        ${removed.map(
          (field) => html`<li>
            <span>${field.displayName}<code>${field.name}</code></span>
            ${this.settings.canEditContract
              ? html`<button
                  aria-label=${words.restore(field.displayName)}
                  ?disabled=${!this.settings.contract}
                  @click=${() => this.restore(field)}
                >
                  ${icon("undo")}${words.restoreShort}
                </button>`
              : nothing}
          </li>`,
        )}
      </ul>
    </section>`;
  }

  private async restore(field: Field): Promise<void> {
    const contract = this.settings.contract?.fields.find((one) => one.name === field.name);
    if (!contract) return;
    if (await this.settings.restore({ name: field.name, type: fieldType(field, contract) }, field.displayName)) this.settings.focusHeading();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-removed": RemovedFields;
  }
}
