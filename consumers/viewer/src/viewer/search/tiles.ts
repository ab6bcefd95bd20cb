/** `<auditlane-tiles>`: the numbers of today and this week. */
import { html, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import { base } from "../../styles/base.js";
import { Part } from "../part.js";

@customElement("auditlane-tiles")
export class Tiles extends Part {
  static override styles = [base];

  protected override render(): TemplateResult {
    return html``;
  }
}
