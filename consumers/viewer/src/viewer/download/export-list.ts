import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";

import { Problem } from "../../api/problem.js";
import type { ExportJob } from "../../api/types.js";
import { customElement } from "../../elements/define.js";
import { formatBytes, formatCount } from "../../model/format/summary.js";
import { kindOf } from "../../model/problem-kind.js";
import { baseStyles } from "../../styles/base.js";
import { icon, type IconName } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import { type ExportJobs, isRunning } from "./export-jobs.js";
import { exportListStyles } from "./export-list.styles.js";
import { saveUrl } from "./fetch.js";

const ICONS: Record<ExportJob["state"], IconName> = {
  queued: "clock",
  running: "refresh",
  done: "check",
  failed: "warning",
  cancelled: "close",
};

/** @summary Lists the tenant's exports, with their progress, their files and a way to delete them. */
@customElement("auditlane-exports")
export class ExportList extends ViewerElement {
  static override styles = [baseStyles, exportListStyles];

  @property({ attribute: false }) jobs: ExportJobs | null = null;

  @state() private problem: Problem | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.jobs?.addEventListener("change", this.onJobsChange);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.jobs?.removeEventListener("change", this.onJobsChange);
  }

  protected override render(): TemplateResult {
    const words = this.text.download;
    const list = this.jobs?.list;
    const problem = this.problem ?? this.jobs?.problem ?? null;
    return html`<section aria-labelledby="recent">
      <h4 id="recent" tabindex="-1">${words.recent}</h4>
      ${problem ? html`<auditlane-problem .problem=${problem} @retry=${this.retry}></auditlane-problem>` : nothing}
      ${list?.length
        ? html`<ul>${list.map((job) => this.renderJob(job))}</ul>`
        : problem
          ? nothing
          : html`<p class="small">${list ? words.noneRecent : this.text.states.loading}</p>`}
    </section>`;
  }

  private renderJob(job: ExportJob): TemplateResult {
    const words = this.text.download;
    const { language } = this.viewer;
    const on = isRunning(job);
    const name = `${words.formats[job.format].name}, ${words.events(job.total, formatCount(job.total, language))}`;
    const size = job.bytes ? ` · ${formatBytes(job.bytes, language)}` : "";
    return html`<li class=${job.state} data-id=${job.id}>
      <div class="what">
        ${icon(ICONS[job.state])}<strong>${name}</strong><span>${words.states[job.state]}${size}</span>
        <span class="small">${words.requested(job.created_by, this.formatTime(job.created_at))}</span>
        ${job.expires_at && job.state === "done"
          ? html`<span class="small">${words.keptUntil(this.formatTime(job.expires_at))}</span>`
          : nothing}
      </div>
      <div class="acts">
        ${job.state === "done"
          ? html`<button aria-label="${words.downloadFile}: ${name}" @click=${() => this.download(job)}>${icon("download")}${words.downloadFile}</button>`
          : nothing}
        <button class="quiet" aria-label="${on ? words.cancel : words.remove}: ${name}" @click=${() => this.removeJob(job)}>
          ${icon(on ? "close" : "trash")}${on ? words.cancel : words.remove}
        </button>
      </div>
      ${on ? html`<progress aria-label=${name} max=${Math.max(1, job.total)} value=${job.rows}></progress>` : nothing}
      ${job.error ? this.renderError(job.error) : nothing}
    </li>`;
  }

  /** Describes an error in the reader's language if its code is known, and in the service's English otherwise. */
  private renderError({ code, message, fix }: NonNullable<ExportJob["error"]>): TemplateResult {
    const kind = kindOf(new Problem(0, code, message, fix));
    if (kind === "failed") return html`<p class="why small" lang="en">${message} ${fix}</p>`;
    const { title, advice } = this.text.states.problems[kind];
    return html`<p class="why small">${title}. ${advice}</p>`;
  }

  private formatTime(text: string): string {
    const style = { dateStyle: "medium", timeStyle: "short", timeZone: this.viewer.zone } as const;
    return new Intl.DateTimeFormat(this.viewer.language, style).format(new Date(text));
  }

  private download(job: ExportJob): Promise<void> {
    return this.attempt(async () => saveUrl((await this.jobs?.link(job)) ?? ""));
  }

  private async removeJob(job: ExportJob): Promise<void> {
    await this.attempt(async () => this.jobs?.remove(job));
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("#recent")?.focus(); // its button may have disappeared
  }

  private async attempt(action: () => Promise<unknown>): Promise<void> {
    this.problem = null;
    await action().catch((cause: unknown) => (this.problem = Problem.from(cause)));
  }

  private readonly onJobsChange = (): void => this.requestUpdate();

  private readonly retry = (): void => {
    this.problem = null;
    void this.jobs?.refresh();
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-exports": ExportList;
  }
}
