import { css, html, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";

import { copyText } from "../elements/copy.js";
import { customElement } from "../elements/define.js";
import { linkToView } from "../model/share.js";
import { baseStyles } from "../styles/base.js";
import { visuallyHidden } from "../styles/fragments.js";
import { icon } from "../styles/icons.js";
import { ViewerElement } from "./viewer-element.js";

const SHOWN_MS = 5_000;

/**
 * @summary Copies a link to the view: its search, time range, order and columns.
 *
 * @csspart button - The button; also `copy-link`.
 */
@customElement("auditlane-copy-link")
export class CopyLink extends ViewerElement {
  static override styles = [
    baseStyles,
    css`
      :host {
        position: relative;
        display: inline-block;
      }
      @container (max-width: 64rem) {
        .label {
          ${visuallyHidden}
        }
      }
      .told:not(:empty) {
        position: absolute;
        inset-block-start: calc(100% + 4px);
        inset-inline-end: 0;
        z-index: 3;
        width: max-content;
        max-width: 15rem;
        padding: 0.35rem 0.7rem;
        border: 1px solid var(--line);
        border-inline-start: 3px solid var(--good);
        border-radius: var(--radius);
        background: var(--ground);
        box-shadow: 0 4px 16px rgb(0 0 0 / 0.18);
      }
      .failed:not(:empty) {
        border-inline-start-color: var(--bad);
      }
    `,
  ];

  @state() private outcome: "" | "copied" | "failed" = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  /** Copies the link, as a click on the button does. */
  press(): void {
    void this.copy();
  }

  protected override render(): TemplateResult {
    const { copyLink } = this.text.reading;
    const status = { "": "", copied: copyLink.copied, failed: this.text.reading.details.notCopied }[this.outcome];
    return html`<button part="button copy-link" title=${copyLink.title} @click=${this.copy}>
        ${icon(this.outcome === "copied" ? "check" : "link")}<span class="label">${copyLink.button}</span>
      </button>
      <span class="told ${this.outcome}" role="status">${status}</span>`;
  }

  private readonly copy = async (): Promise<void> => {
    const { viewer } = this;
    clearTimeout(this.timer);
    this.outcome = "";
    await this.updateComplete;
    this.outcome = (await copyText(linkToView({ ...viewer.view, columns: viewer.columnNames }, location), this.renderRoot as ShadowRoot)) ? "copied" : "failed";
    this.timer = setTimeout(() => (this.outcome = ""), SHOWN_MS);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-copy-link": CopyLink;
  }
}
