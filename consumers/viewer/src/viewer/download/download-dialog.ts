import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";

import { Problem } from "../../api/problem.js";
import type { ExportFormat, ExportJob, Histogram, LastDownload } from "../../api/types.js";
import { customElement } from "../../elements/define.js";
import { columnFields, SENTENCE, shownColumns } from "../../model/columns.js";
import {
  type ColumnChoice,
  type CsvForm,
  defaultSeparator,
  exportedFields,
  exportMethod,
  exportOptions,
  type ExportRequest,
  FORMATS,
  hasLocalTimes,
  headings,
  MAX_PDF_ROWS,
  searchOnly,
  sinceOption,
} from "../../model/export.js";
import { formatBytes, formatCount } from "../../model/format/summary.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import { renderCsvForm } from "./csv-form.js";
import { downloadDialogStyles } from "./download-dialog.styles.js";
import type { ExportJobs } from "./export-jobs.js";
import "./export-list.js";
import { renderSince, renderSummary } from "./download-summary.js";
import { fetchFile, followLink, type Progress } from "./fetch.js";
import { renderZoneForm } from "./zone-form.js";

/**
 * @summary Describes the file before it is created, shows its progress, and lists the exports. Opens itself.
 *
 * @event close - The dialog was closed.
 * @csspart dialog - The dialog.
 * @csspart summary - What the file will contain.
 */
@customElement("auditlane-download-dialog")
export class DownloadDialog extends ViewerElement {
  static override styles = [baseStyles, downloadDialogStyles];

  @property({ attribute: false }) jobs: ExportJobs | null = null;
  @property({ attribute: false }) changes = 0;

  @state() private format: ExportFormat = "csv";
  /** The user's choice. Until there is one, the file is for spreadsheets in the reader's language. */
  @state() private chosenCsv: CsvForm | null = null;
  /** The zone for times in a spreadsheet, if the user has chosen one. Otherwise, the zone of the list is used. */
  @state() private chosenZone: string | null = null;
  /** The user's choice. Until there is one, a PDF has the columns of the table, since a page has no room for more. */
  @state() private chosenColumns: ColumnChoice | null = null;
  /** The reader's last download of this search. Null until it is known, or if it cannot be loaded. */
  @state() private last: LastDownload | null = null;
  @state() private sinceLast = false;
  /** The number of matching events, or null while they are counted. */
  @state() private rows: number | null = null;
  @state() private progress: Progress | null = null;
  @state() private busy = false;
  @state() private finished = "";
  /** The most recently started export. */
  @state() private startedJob: ExportJob | null = null;
  @state() private problem: Problem | null = null;

  private stop = new AbortController();

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stop.abort();
  }

  protected override willUpdate(): void {
    if (!this.hasUpdated) this.format = this.viewer.preferences.format ?? this.format;
  }

  protected override firstUpdated(): void {
    this.renderRoot.querySelector("dialog")?.showModal();
    this.renderRoot.querySelector<HTMLElement>(":checked")?.focus();
    void this.count();
    void this.loadLast();
  }

  protected override render(): TemplateResult {
    const words = this.text.download;
    return html`<dialog
      part="dialog"
      aria-labelledby="title"
      @close=${() => this.dispatchEvent(new Event("close"))}
      @click=${(event: MouseEvent) => event.target === event.currentTarget && this.dismiss()}
    >
      <div class="head">
        <h3 id="title">${words.title}</h3>
        <button class="quiet icon" aria-label=${words.close} title=${words.close} @click=${this.dismiss}>${icon("close")}</button>
      </div>
      <div class="inside">
        <fieldset>
          <legend>${words.format}</legend>
          <div class="choices">${FORMATS.map((format) => this.renderFormat(format))}</div>
        </fieldset>
        <fieldset>
          <legend>${words.columns}</legend>
          <div class="line">${this.renderColumnChoice("all")}${this.renderColumnChoice("shown")}</div>
          <p class="small">${this.columns.length ? this.describeColumns() : words.noColumns}</p>
        </fieldset>
        ${renderSummary(this.viewer, { rows: this.signedOut ? "unknown" : this.matching, sinceLast: this.sinceLast, zone: this.local ? this.zone : "UTC" })}
        ${this.renderMore()}
        ${this.signedOut ? nothing : html`<auditlane-exports .jobs=${this.jobs}></auditlane-exports>`}
      </div>
      <div class="foot">${this.renderOutcome()} ${this.renderButtons()}</div>
    </dialog>`;
  }

  /** Renders the options that few readers need. */
  private renderMore(): TemplateResult | typeof nothing {
    const words = this.text.download;
    const options = [
      this.format === "csv" ? renderCsvForm(words.csv, this.csv, (form) => (this.chosenCsv = form)) : null,
      this.local ? renderZoneForm(this.text, this.zone, this.viewer.zone, (zone) => (this.chosenZone = zone)) : null,
      this.last ? renderSince(this.viewer, this.last, this.sinceLast, (on) => (this.sinceLast = on)) : null,
    ].filter((option) => option !== null);
    if (!options.length) return nothing;
    return html`<details>
      <summary>${words.more}</summary>
      <div class="more">${options}</div>
    </details>`;
  }

  /** Whether the reader's session has ended, so that neither counting nor downloading can succeed. */
  private get signedOut(): boolean {
    return this.viewer.authProblem !== null;
  }

  private renderFormat(format: ExportFormat): TemplateResult {
    const { name, note } = this.text.download.formats[format];
    return html`<label class="choice">
      <input
        type="radio"
        name="format"
        value=${format}
        .checked=${format === this.format}
        aria-describedby="note-${format}"
        @change=${() => this.setFormat(format)}
      />
      <span><strong>${name}</strong><span class="small" id="note-${format}">${note}</span></span>
    </label>`;
  }

  private renderColumnChoice(which: ColumnChoice): TemplateResult {
    const fields = this.viewer.columnFields;
    const count = exportedFields(fields, shownColumns(fields, this.viewer.chosenColumns, this.viewer.preferences.pinned), which).length;
    const name = this.text.download.which[which](formatCount(count, this.viewer.language));
    return html`<label class="radio">
      <input
        type="radio"
        name="which"
        value=${which}
        ?disabled=${count === 0}
        .checked=${which === this.columnChoice}
        @change=${() => (this.chosenColumns = which)}
      />${name}
    </label>`;
  }

  /** Names the chosen columns, and separately the one for conflicts, which is not among those counted. */
  private describeColumns(): string {
    const names = this.headings;
    return this.text.download.inFile(names.slice(0, -1).join(" · "), names.at(-1) ?? "");
  }

  private renderOutcome(): TemplateResult {
    const words = this.text.download;
    const { language, authProblem } = this.viewer;
    const problem = authProblem ?? this.problem;
    const isRunning = this.jobs?.running.some((job) => job.id === this.startedJob?.id); // if one is running, the list shows its result
    const finished = isRunning ? words.preparing : this.finished;
    const size = this.progress ? formatBytes(this.progress.bytes, language) : "";
    return html`
      <div role="status" class="outcome">
        ${this.busy ? html`<progress aria-label=${words.downloading}></progress> ${words.downloading} ${size}` : nothing}
        ${finished && !this.busy ? html`${icon("check")} ${finished}` : nothing}
      </div>
      ${problem ? html`<auditlane-problem .problem=${problem} @retry=${this.start}></auditlane-problem>` : nothing}
    `;
  }

  private renderButtons(): TemplateResult {
    const words = this.text.download;
    const method = exportMethod(this.format, this.matching);
    const { name } = words.formats[this.format];
    const none = this.signedOut || this.columns.length === 0 || method === "nothing" || method === "too many";
    const pdfMost = words.pdfMost(formatCount(MAX_PDF_ROWS, this.viewer.language));
    const hints = { "at once": "", job: words.large, "too many": pdfMost, nothing: words.nothing };
    return html`
      ${hints[method] ? html`<p class="hint" id="hint">${icon(method === "job" ? "clock" : "warning")}<span>${hints[method]}</span></p>` : nothing}
      <div class="ways">
        <button class=${this.busy ? "" : "primary"} ?disabled=${none && !this.busy} @click=${this.onPress}>
          ${icon(this.busy ? "close" : method === "job" ? "clock" : "download")}
          ${this.busy ? words.cancel : method === "job" ? words.prepare(name) : words.save(name)}
        </button>
        ${method === "job" && !this.busy && !this.signedOut ? html`<button @click=${this.downloadLink}>${icon("download")}${words.downloadNow}</button>` : nothing}
        ${method === "at once" && !this.busy && this.rows !== null && !this.signedOut
          ? html`<button class="quiet" ?disabled=${none} @click=${this.startJob}>${words.inBackground}</button>`
          : nothing}
      </div>
    `;
  }

  private get zone(): string {
    return this.chosenZone ?? this.viewer.zone;
  }

  /** Whether the times in the file are local times. */
  private get local(): boolean {
    return hasLocalTimes(this.format, this.csv);
  }

  private get columnChoice(): ColumnChoice {
    return this.chosenColumns ?? (this.format === "pdf" ? "shown" : "all");
  }

  private get csv(): CsvForm {
    return this.chosenCsv ?? { dialect: "spreadsheet", separator: defaultSeparator(this.viewer.language) };
  }

  /** The columns of the file, with their labels in the file. */
  private get columns() {
    const raw = this.format === "csv" && this.csv.dialect === "raw"; // has the same titles in every language
    const fields = raw ? columnFields(this.viewer.structure?.fields ?? [], this.viewer.chosenColumns, "Sentence") : this.viewer.columnFields;
    return exportedFields(fields, shownColumns(fields, this.viewer.chosenColumns, this.viewer.preferences.pinned), this.columnChoice);
  }

  /** The number of events for the file, or null while they are counted. */
  private get matching(): number | null {
    return this.sinceLast && this.last ? this.last.events : this.rows;
  }

  private get headings(): string[] {
    return headings(this.format, this.columns, this.text.download.conflict);
  }

  private get exportRequest(): ExportRequest {
    const { format, columns } = this;
    const all = this.viewer.filter();
    const since = sinceOption(all, this.sinceLast);
    const options = {
      ...exportOptions(format, this.csv, this.zone, this.headings),
      ...(columns.some(({ name }) => name === SENTENCE) ? { language: this.viewer.language } : {}),
      ...(since ? { since } : {}),
    };
    return { format, columns, options, filter: this.sinceLast ? searchOnly(all) : all };
  }

  private setFormat(format: ExportFormat): void {
    this.format = format;
    this.viewer.setPreferences({ format });
    this.problem = null;
    this.finished = "";
    this.startedJob = null;
  }

  private async count(): Promise<void> {
    const params = [["buckets", "1"] as const, ...this.viewer.filter()];
    await this.attempt(async (signal) => {
      this.rows = (await this.viewer.client.json<Histogram>("/v1/histogram", { params, signal })).events;
    });
  }

  private async loadLast(): Promise<void> {
    const params = searchOnly(this.viewer.filter());
    this.last = await this.viewer.client.json<LastDownload>("/v1/last-download", { params }).catch(() => null);
  }

  private readonly start = async (): Promise<void> => {
    if (this.rows === null) await this.count();
    const method = exportMethod(this.format, this.matching);
    if (this.rows === null || method === "too many" || method === "nothing") return;
    if (method === "job") return this.startJob();
    this.busy = true;
    await this.attempt(async (signal) => {
      const { rows, bytes } = await fetchFile(this.viewer.client, this.exportRequest, (at) => (this.progress = at), signal);
      const { language } = this.viewer;
      const events = rows === null ? "" : this.text.download.events(rows, formatCount(rows, language));
      void this.loadLast();
      this.finished = this.text.download.saved(events, formatBytes(bytes, language));
    });
    this.busy = false;
    this.progress = null;
  };

  private readonly startJob = async (): Promise<void> => {
    await this.attempt(async () => {
      this.startedJob = (await this.jobs?.create(this.exportRequest)) ?? null;
    });
  };

  private readonly downloadLink = async (): Promise<void> => {
    await this.attempt(async () => {
      await followLink(this.viewer.client, this.exportRequest);
      this.finished = this.text.download.byBrowser;
    });
  };

  /** Starts or cancels with the same button, so that the focus stays on it. The second click of a double click does not cancel. */
  private readonly onPress = (event: MouseEvent): void => {
    if (!this.busy) void this.start();
    else if (event.detail < 2) this.stop.abort();
  };

  private readonly dismiss = (): void => {
    this.renderRoot.querySelector("dialog")?.close();
  };

  private async attempt(action: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.stop = new AbortController();
    this.problem = null;
    this.finished = "";
    this.startedJob = null;
    try {
      await action(this.stop.signal);
    } catch (cause) {
      const problem = Problem.from(cause);
      if (!problem.aborted) this.problem = problem;
    }
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-download-dialog": DownloadDialog;
  }
}
