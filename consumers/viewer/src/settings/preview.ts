import { css, html, nothing, type TemplateResult } from "lit";

import { customElement } from "../elements/define.js";
import { fieldLabel } from "../model/labels.js";
import { baseStyles } from "../styles/base.js";
import { sampleStyles, sampleTable } from "./sample-table.js";
import { sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

/**
 * @summary Previews the table with the draft of the fields.
 *
 * @csspart preview - The card.
 */
@customElement("auditlane-settings-preview")
export class Preview extends SettingsElement {
  static override styles = [
    baseStyles,
    sectionStyles,
    ...sampleStyles,
    css`
      section {
        display: flex;
        flex-direction: column;
        gap: 0.6rem;
      }
    `,
  ];

  protected override render(): TemplateResult | typeof nothing {
    const { draft, sample, unsaved, text, cellContext } = this.settings;
    if (!draft) return nothing;
    const words = this.text.preview;
    const columns = draft.fields.filter((field) => field.showInTable).map((field) => ({ ...field, label: fieldLabel(field, text) }));
    const lead = `${sample.length ? words.sample : words.empty}${unsaved ? ` ${words.unsaved}` : ""}`;
    return html`<section class="card" part="preview" aria-labelledby="title">
      <div>
        <h3 id="title">${words.title}</h3>
        <p class="quietly">${lead}</p>
      </div>
      ${columns.length
        ? sampleTable({ columns, events: sample, cellContext, label: words.table, newWord: words.newColumn })
        : html`<p>${words.noColumn}</p>`}
    </section>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-preview": Preview;
  }
}
