/** `<auditlane-empty>`: nothing to show: because nothing was ever sent, or because nothing matches. */
import { html, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import { base } from "../../styles/base.js";
import { Part } from "../part.js";

@customElement("auditlane-empty")
export class Empty extends Part {
  static override styles = [base];

  protected override render(): TemplateResult {
    return html``;
  }
}
