/** `<auditlane-missing-part>`: says that a part of the page did not come, and offers to reload the page. */
import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";

import type { Texts } from "../i18n/en/index.js";
import { late } from "./lazy-import.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { noticeStyles } from "../styles/notice.js";

@customElement("auditlane-missing-part")
export class StaleBundleNotice extends LitElement {
  static override styles = [
    baseStyles,
    noticeStyles,
    css`
      :host {
        display: block;
      }
      :host([idle]) {
        display: none;
      }
    `,
  ];

  @property({ attribute: false }) text!: Texts["states"];

  private readonly onChange = (): void => this.requestUpdate();

  override connectedCallback(): void {
    super.connectedCallback();
    late.addEventListener("change", this.onChange);
    this.requestUpdate();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    late.removeEventListener("change", this.onChange);
  }

  protected override render(): TemplateResult {
    this.toggleAttribute("idle", !late.missing);
    return html`<div role="alert">${late.missing ? this.notice() : nothing}</div>`;
  }

  private notice(): TemplateResult {
    return html`<div class="notice" part="notice">
      ${icon("warning")}
      <p>${this.text.missingPart}</p>
      <button @click=${() => location.reload()}>${icon("refresh")}${this.text.reload}</button>
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-missing-part": StaleBundleNotice;
  }
}
