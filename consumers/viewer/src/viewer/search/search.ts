/** `<auditlane-search>`: the query, its chips and the time. */
import { html, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import { base } from "../../styles/base.js";
import { Part } from "../part.js";

@customElement("auditlane-search")
export class Search extends Part {
  static override styles = [base];

  protected override render(): TemplateResult {
    return html``;
  }
}
