/** `<auditlane-settings>`: the switch and the data structure, of a tenant or of the environment. */
import { html, LitElement, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";

import { base } from "../styles/base.js";
import { kitTokens } from "../styles/kit.js";
import { tokens } from "../styles/tokens.js";

@customElement("auditlane-settings")
export class AuditlaneSettings extends LitElement {
  static override styles = [tokens, kitTokens, base];

  @property({ attribute: "base-url" }) baseUrl = "";
  @property() token = "";
  @property() tenant = "";

  protected override render(): TemplateResult {
    return html``;
  }
}
