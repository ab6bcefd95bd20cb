import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";

import { customElement } from "../../elements/define.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import type { ViewerState } from "../viewer-state.js";
import { downloadButtonStyles } from "./download-button.styles.js";
import { ExportJobs } from "./export-jobs.js";

/**
 * @summary The button that opens the download dialog, with the number of running exports.
 *
 * @csspart button - The button; also `download`.
 * @csspart dialog - The dialog.
 */
@customElement("auditlane-download")
export class DownloadButton extends ViewerElement {
  static override styles = [baseStyles, downloadButtonStyles];

  @state() private open = false;
  @state() private changes = 0;

  private jobs: ExportJobs | null = null;
  private jobsViewer: ViewerState | null = null;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.jobs?.close();
    this.jobs = null;
    this.jobsViewer = null;
    this.open = false;
  }

  /** Opens the dialog, as a click on the button does. */
  press(): void {
    void this.openDialog();
  }

  protected override render(): TemplateResult {
    const words = this.text.download;
    const running = this.jobs?.running.length ?? 0;
    const last = this.jobs?.ended.at(-1);
    const news = last ? words.ended[last.state === "done" ? "done" : "other"] : "";
    return html`
      <button part="button download" aria-haspopup="dialog" @click=${this.openDialog}>
        ${icon("download")}<span class="label">${words.button}</span>
        ${running
          ? html`<span class="count"><span aria-hidden="true">${running}</span><span class="unseen">${words.running(running)}</span></span>`
          : nothing}
      </button>
      <span class="unseen" role="status">${this.changes ? news : ""}</span>
      ${this.open
        ? html`<auditlane-download-dialog
            part="dialog"
            exportparts="dialog"
            .jobs=${this.jobs}
            .changes=${this.changes}
            @close=${() => (this.open = false)}
          ></auditlane-download-dialog>`
        : nothing}
    `;
  }

  private readonly openDialog = async (): Promise<void> => {
    if (!(await this.viewer.lazyImports.load(() => import("./download-dialog.js")))) return;
    if (this.jobsViewer !== this.viewer) {
      this.jobs?.close();
      this.jobs = new ExportJobs(this.viewer);
      this.jobsViewer = this.viewer;
      this.jobs.addEventListener("change", () => (this.changes += 1));
    }
    void this.jobs?.refresh();
    this.open = true;
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-download": DownloadButton;
  }
}
