/** `<auditlane-viewer>`: a tenant's log. It puts the parts together, and knows nothing of what they do. */
import { ContextProvider } from "@lit/context";
import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { DIRECTIONS, type Language, languageOf } from "../i18n/index.js";
import { late } from "../elements/lazy-import.js";
import { base } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { layout } from "./auditlane-viewer.styles.js";
import { tokens } from "../styles/tokens.js";
import "../elements/stale-bundle-notice.js";
import "./download/download.js";
import "./search/histogram.js";
import "./search/search.js";
import "./search/tiles.js";
import "./states/empty.js";
import "./states/notices.js";
import "./states/problem.js";
import "./live-switch.js";
import "./table/columns.js";
import "./table/table.js";
import { Connection } from "./reconnect.js";
import { Log, logContext } from "./viewer-state.js";
import { Renewal } from "../elements/token-renewal.js";
import { skeleton, skeletonStyles } from "./states/skeleton.js";
import { visit, visitStyles } from "./states/operator-banner.js";
import { Steps } from "./history-controller.js";

/**
 * Attributes: `base-url` (where the service is; empty for the page's own origin), `token` (a viewer token; without one
 * the browser's session counts), `tenant` (only with a token of the whole environment), `lang`, `theme` (auto, light,
 * dark), `address` (present: what is looked at is kept in the page's address).
 *
 * Events: `token-expired` (the host sets a new `token`; what was asked goes on with it), `auditlane-ready`,
 * `auditlane-problem` with the problem as detail. The slot `toolbar` takes buttons of the host's own.
 */
@customElement("auditlane-viewer")
export class AuditlaneViewer extends LitElement {
  static override styles = [tokens, base, layout, skeletonStyles, visitStyles];

  @property({ attribute: "base-url" }) baseUrl = "";
  @property() token = "";
  @property() tenant = "";
  @property({ reflect: true }) theme: "auto" | "light" | "dark" = "auto";
  @property() override lang = "";
  @property({ type: Boolean }) address = false;

  @state() private log: Log | null = null;
  /** The settings' own part is there. */
  @state() private prepared = false;

  private readonly provider = new ContextProvider(this, { context: logContext });
  private readonly renewal = new Renewal(() => this.tell("token-expired", null));
  private readonly steps = new Steps(this, {
    log: () => this.log,
    mayLeave: async () => (await this.renderRoot.querySelector("auditlane-settings")?.mayLeave()) ?? true,
    left: () => void this.focusOn("#settings"),
  });
  private connection: Connection | null = null;
  private opening = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) void this.open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.connection?.close();
    this.opening += 1;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const place = (["baseUrl", "tenant"] as const).some((name) => changed.has(name));
    if (!this.hasUpdated || place) void this.open();
    else if (changed.has("token")) void this.took();
    else if (changed.has("lang")) void this.log?.speak(this.language);
    if (this.log?.view.settings && !this.prepared) void this.prepareFor(this.log);
  }

  /** Reads everything anew, as a first look would. */
  async open(): Promise<void> {
    const turn = ++this.opening;
    const baseUrl = this.baseUrl.replace(/\/+$/, "");
    const token = await this.renewal.first(baseUrl, this.token);
    if (turn !== this.opening) return;
    const place = { baseUrl, token, tenant: this.tenant };
    const renew = (): Promise<string> => this.renewal.renewed(this.token, log.client.token, (next) => log.vouch(next));
    const log = await Log.open(place, renew, this.language);
    if (turn !== this.opening) return; // another place was named meanwhile
    this.steps.begin(log, this.address);
    log.addEventListener("change", () => this.requestUpdate());
    this.connection?.close();
    this.connection = new Connection(log);
    this.provider.setValue(log);
    this.log = log;
    await log.load();
    if (turn === this.opening) this.tell(log.problem ? "auditlane-problem" : "auditlane-ready", log.problem);
  }

  protected override render(): TemplateResult {
    const log = this.log;
    if (!log) return html`<div class="root">${skeleton()}</div>`;
    return html`<div class="root" part="root" lang=${log.language} dir=${DIRECTIONS[log.language]}>${this.content(log)}</div>`;
  }

  private content(log: Log): TemplateResult {
    if (log.phase === "loading") {
      return html`<p class="unseen" role="status">${log.text.states.loading}</p>${skeleton()}`;
    }
    if (log.view.settings && log.mayOpenSettings) return this.settingsView(log);
    if (log.problem) {
      return html`${this.header(log, false)}
        <auditlane-problem
          class="state"
          part="state"
          whole
          .problem=${log.problem}
          @retry=${() => log.load()}
          @settings=${this.toSettings}
        ></auditlane-problem>`;
    }
    const searching = html`
      <auditlane-tiles part="tiles" exportparts="tile"></auditlane-tiles>
      <auditlane-search part="search"></auditlane-search>
      <auditlane-histogram part="histogram"></auditlane-histogram>
    `;
    return html`
      ${this.header(log, true)}
      <auditlane-missing-part exportparts="notice" .text=${log.text.states}></auditlane-missing-part>
      <auditlane-notices exportparts="notice, first-use"></auditlane-notices>
      ${log.unused && !log.view.query ? nothing : searching}
      <auditlane-table part="table" exportparts="grid, head, body, details"></auditlane-table>
    `;
  }

  private header(log: Log, whole: boolean): TemplateResult {
    const { text } = log;
    const settings = log.mayOpenSettings
      ? html`<button id="settings" part="button settings" @click=${this.toSettings}>
          ${icon("settings")}<span class="label">${text.states.settings}</span>
        </button>`
      : nothing;
    const parts = html`
      <button part="button refresh" @click=${() => log.refresh()}>
        ${icon("refresh")}<span class="label">${text.states.refresh}</span>
      </button>
      <auditlane-live exportparts="button, live"></auditlane-live>
      <auditlane-columns exportparts="button, columns"></auditlane-columns>
      ${log.may("audits:export") ? html`<auditlane-download exportparts="button, download, dialog"></auditlane-download>` : nothing}
    `;
    return html`${visit(log)}<div class="head" part="header">
      <h2 part="title">${text.states.heading}<span class="tenant">${log.tenant}</span></h2>
      <div class="tools" part="toolbar"><slot name="toolbar"></slot>${whole ? parts : nothing}${settings}</div>
    </div>`;
  }

  private settingsView(log: Log): TemplateResult {
    return html`<div class="head" part="header">
        <button id="back" part="button back" @click=${() => this.steps.leave(log)}>
          ${icon("back")}${log.text.states.back}
        </button>
      </div>
      ${this.prepared
        ? html`<auditlane-settings
            class="state"
            .baseUrl=${this.baseUrl}
            .token=${log.client.token}
            .tenant=${this.tenant}
            .theme=${this.theme}
            .lang=${log.language}
          ></auditlane-settings>`
        : skeleton()}`;
  }

  private readonly toSettings = async (): Promise<void> => {
    const { log } = this;
    if (!(await this.prepare()) || log !== this.log) return;
    log?.look({ settings: true });
    await this.focusOn("#back");
  };

  /** Loads the settings' part; whether it came. */
  private async prepare(): Promise<boolean> {
    this.prepared ||= (await late.load(() => import("../settings/auditlane-settings.js"))) !== null;
    return this.prepared;
  }

  /** An address, or a step of the history, led into the settings. */
  private async prepareFor(log: Log): Promise<void> {
    if (!(await this.prepare()) && log === this.log) log.look({ settings: false });
  }

  private async focusOn(selector: string): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(selector)?.focus();
  }

  /**
   * A new token: the same person's lets everything go on; another's begins anew, so that nobody sees another's events.
   * One that is taken away takes them away as well, unless it was asked for: then there is none, and what is shown stays.
   */
  private async took(): Promise<void> {
    const [log, token] = [this.log, this.token];
    if (!token && !this.renewal.waits) {
      this.log = null;
      return await this.open();
    }
    if (!log?.session) {
      if (this.renewal.waits) this.renewal.give(token);
      else await this.open();
      return;
    }
    const same = await log.vouch(token).catch(() => null);
    if (token !== this.token || log !== this.log) return;
    if (same) log.take(token);
    this.renewal.give(same ? token : "");
    if (same === false || (same && log.phase === "failed")) await this.open();
  }

  private get language(): Language {
    return languageOf(this.lang, document.documentElement.lang, ...navigator.languages);
  }

  private tell(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-viewer": AuditlaneViewer;
  }
}
