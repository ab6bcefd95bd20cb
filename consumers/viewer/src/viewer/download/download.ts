/** `<auditlane-download>`: the log as a file. */
import { html, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import { base } from "../../styles/base.js";
import { Part } from "../part.js";

@customElement("auditlane-download")
export class Download extends Part {
  static override styles = [base];

  protected override render(): TemplateResult {
    return html``;
  }
}
