/** `<auditlane-table>`: the events. */
import { html, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import { base } from "../../styles/base.js";
import { Part } from "../part.js";

@customElement("auditlane-table")
export class Table extends Part {
  static override styles = [base];

  protected override render(): TemplateResult {
    return html``;
  }
}
