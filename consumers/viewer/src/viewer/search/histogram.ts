/** `<auditlane-histogram>`: events over time. */
import { html, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import { base } from "../../styles/base.js";
import { Part } from "../part.js";

@customElement("auditlane-histogram")
export class Histogram extends Part {
  static override styles = [base];

  protected override render(): TemplateResult {
    return html``;
  }
}
