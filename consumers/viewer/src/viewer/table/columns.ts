/** `<auditlane-columns>`: which columns there are, and how close rows stand. */
import { html, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import { base } from "../../styles/base.js";
import { Part } from "../part.js";

@customElement("auditlane-columns")
export class Columns extends Part {
  static override styles = [base];

  protected override render(): TemplateResult {
    return html``;
  }
}
