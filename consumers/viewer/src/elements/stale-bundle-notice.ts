import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";

import type { Texts } from "../i18n/en/index.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { noticeStyles } from "../styles/notice.js";
import { customElement } from "./define.js";
import type { LazyImports } from "./lazy-import.js";

/**
 * @summary Reports that a module could not be loaded: without a connection, or after an upgrade of the service, when it
 *   offers to reload the page.
 * @csspart notice - The notice; absent unless a module could not be loaded.
 */
@customElement("auditlane-stale-bundle-notice")
export class StaleBundleNotice extends LitElement {
  static override styles = [baseStyles, noticeStyles];

  @property({ attribute: false }) text!: Texts["states"];
  @property({ attribute: false }) imports!: LazyImports;

  private observed: LazyImports | null = null;
  private readonly onChange = (): void => this.requestUpdate();

  override connectedCallback(): void {
    super.connectedCallback();
    this.observe();
    this.requestUpdate();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.observed?.removeEventListener("change", this.onChange);
    this.observed = null;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("imports")) this.observe();
  }

  protected override render(): TemplateResult {
    const { failure } = this.imports;
    this.toggleAttribute("idle", !failure);
    return html`<div role="alert">${failure ? this.renderNotice(failure === "offline") : nothing}</div>`;
  }

  private observe(): void {
    this.observed?.removeEventListener("change", this.onChange);
    this.observed = this.imports ?? null;
    this.observed?.addEventListener("change", this.onChange);
  }

  private renderNotice(offline: boolean): TemplateResult {
    const { text } = this;
    return html`<div class="notice" part="notice">
      ${icon(offline ? "offline" : "warning")}
      <p>${offline ? text.partOffline : text.missingPart}</p>
      ${offline ? nothing : html`<button @click=${() => location.reload()}>${icon("refresh")}${text.reload}</button>`}
    </div>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-stale-bundle-notice": StaleBundleNotice;
  }
}
