/** `<auditlane-viewer>`: a tenant's log. It puts the parts together, and knows nothing of what they do. */
import { ContextProvider } from "@lit/context";
import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { DIRECTIONS, type Language, languageOf } from "../i18n/index.js";
import { late } from "../elements/lazy-import.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { auditlaneViewerStyles } from "./auditlane-viewer.styles.js";
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
import { Reconnect } from "./reconnect.js";
import { ViewerState, viewerContext } from "./viewer-state.js";
import { TokenRenewal } from "../elements/token-renewal.js";
import { skeleton, skeletonStyles } from "./states/skeleton.js";
import { operatorBanner, operatorBannerStyles } from "./states/operator-banner.js";
import { HistoryController } from "./history-controller.js";

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
  static override styles = [tokens, baseStyles, auditlaneViewerStyles, skeletonStyles, operatorBannerStyles];

  @property({ attribute: "base-url" }) baseUrl = "";
  @property() token = "";
  @property() tenant = "";
  @property({ reflect: true }) theme: "auto" | "light" | "dark" = "auto";
  @property() override lang = "";
  @property({ type: Boolean }) address = false;

  @state() private viewer: ViewerState | null = null;
  /** The settings' own part is there. */
  @state() private settingsLoaded = false;

  private readonly provider = new ContextProvider(this, { context: viewerContext });
  private readonly renewal = new TokenRenewal(() => this.emit("token-expired", null));
  private readonly history = new HistoryController(this, {
    viewer: () => this.viewer,
    confirmLeave: async () => (await this.renderRoot.querySelector("auditlane-settings")?.mayLeave()) ?? true,
    onLeft: () => void this.focusOn("#settings"),
  });
  private reconnect: Reconnect | null = null;
  private openCount = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) void this.open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.reconnect?.close();
    this.openCount += 1;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const place = (["baseUrl", "tenant"] as const).some((name) => changed.has(name));
    if (!this.hasUpdated || place) void this.open();
    else if (changed.has("token")) void this.onTokenChanged();
    else if (changed.has("lang")) void this.viewer?.setLanguage(this.language);
    if (this.viewer?.view.settings && !this.settingsLoaded) void this.loadSettingsFor(this.viewer);
  }

  /** Reads everything anew, as a first look would. */
  async open(): Promise<void> {
    const turn = ++this.openCount;
    const baseUrl = this.baseUrl.replace(/\/+$/, "");
    const token = await this.renewal.initialToken(baseUrl, this.token);
    if (turn !== this.openCount) return;
    const place = { baseUrl, token, tenant: this.tenant };
    const renew = (): Promise<string> => this.renewal.renew(this.token, viewer.client.token, (next) => viewer.verifyToken(next));
    const viewer = await ViewerState.open(place, renew, this.language);
    if (turn !== this.openCount) return; // another place was named meanwhile
    this.history.start(viewer, this.address);
    viewer.addEventListener("change", () => this.requestUpdate());
    this.reconnect?.close();
    this.reconnect = new Reconnect(viewer);
    this.provider.setValue(viewer);
    this.viewer = viewer;
    await viewer.load();
    if (turn === this.openCount) this.emit(viewer.problem ? "auditlane-problem" : "auditlane-ready", viewer.problem);
  }

  protected override render(): TemplateResult {
    const viewer = this.viewer;
    if (!viewer) return html`<div class="root">${skeleton()}</div>`;
    return html`<div class="root" part="root" lang=${viewer.language} dir=${DIRECTIONS[viewer.language]}>${this.content(viewer)}</div>`;
  }

  private content(viewer: ViewerState): TemplateResult {
    if (viewer.phase === "loading") {
      return html`<p class="unseen" role="status">${viewer.text.states.loading}</p>${skeleton()}`;
    }
    if (viewer.view.settings && viewer.canOpenSettings) return this.settingsView(viewer);
    if (viewer.problem) {
      return html`${this.header(viewer, false)}
        <auditlane-problem
          class="state"
          part="state"
          whole
          .problem=${viewer.problem}
          @retry=${() => viewer.load()}
          @settings=${this.openSettings}
        ></auditlane-problem>`;
    }
    const searching = html`
      <auditlane-tiles part="tiles" exportparts="tile"></auditlane-tiles>
      <auditlane-search part="search"></auditlane-search>
      <auditlane-histogram part="histogram"></auditlane-histogram>
    `;
    return html`
      ${this.header(viewer, true)}
      <auditlane-missing-part exportparts="notice" .text=${viewer.text.states}></auditlane-missing-part>
      <auditlane-notices exportparts="notice, first-use"></auditlane-notices>
      ${viewer.unused && !viewer.view.query ? nothing : searching}
      <auditlane-table part="table" exportparts="grid, head, body, details"></auditlane-table>
    `;
  }

  private header(viewer: ViewerState, whole: boolean): TemplateResult {
    const { text } = viewer;
    const settings = viewer.canOpenSettings
      ? html`<button id="settings" part="button settings" @click=${this.openSettings}>
          ${icon("settings")}<span class="label">${text.states.settings}</span>
        </button>`
      : nothing;
    const parts = html`
      <button part="button refresh" @click=${() => viewer.refresh()}>
        ${icon("refresh")}<span class="label">${text.states.refresh}</span>
      </button>
      <auditlane-live exportparts="button, live"></auditlane-live>
      <auditlane-columns exportparts="button, columns"></auditlane-columns>
      ${viewer.can("audits:export") ? html`<auditlane-download exportparts="button, download, dialog"></auditlane-download>` : nothing}
    `;
    return html`${operatorBanner(viewer)}<div class="head" part="header">
      <h2 part="title">${text.states.heading}<span class="tenant">${viewer.tenant}</span></h2>
      <div class="tools" part="toolbar"><slot name="toolbar"></slot>${whole ? parts : nothing}${settings}</div>
    </div>`;
  }

  private settingsView(viewer: ViewerState): TemplateResult {
    return html`<div class="head" part="header">
        <button id="back" part="button back" @click=${() => this.history.leaveSettings(viewer)}>
          ${icon("back")}${viewer.text.states.back}
        </button>
      </div>
      ${this.settingsLoaded
        ? html`<auditlane-settings
            class="state"
            .baseUrl=${this.baseUrl}
            .token=${viewer.client.token}
            .tenant=${this.tenant}
            .theme=${this.theme}
            .lang=${viewer.language}
          ></auditlane-settings>`
        : skeleton()}`;
  }

  private readonly openSettings = async (): Promise<void> => {
    const { viewer } = this;
    if (!(await this.loadSettings()) || viewer !== this.viewer) return;
    viewer?.setView({ settings: true });
    await this.focusOn("#back");
  };

  /** Loads the settings' part; whether it came. */
  private async loadSettings(): Promise<boolean> {
    this.settingsLoaded ||= (await late.load(() => import("../settings/auditlane-settings.js"))) !== null;
    return this.settingsLoaded;
  }

  /** An address, or a step of the history, led into the settings. */
  private async loadSettingsFor(viewer: ViewerState): Promise<void> {
    if (!(await this.loadSettings()) && viewer === this.viewer) viewer.setView({ settings: false });
  }

  private async focusOn(selector: string): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(selector)?.focus();
  }

  /**
   * A new token: the same person's lets everything go on; another's begins anew, so that nobody sees another's events.
   * One that is taken away takes them away as well, unless it was asked for: then there is none, and what is shown stays.
   */
  private async onTokenChanged(): Promise<void> {
    const [viewer, token] = [this.viewer, this.token];
    if (!token && !this.renewal.pending) {
      this.viewer = null;
      return await this.open();
    }
    if (!viewer?.session) {
      if (this.renewal.pending) this.renewal.provide(token);
      else await this.open();
      return;
    }
    const same = await viewer.verifyToken(token).catch(() => null);
    if (token !== this.token || viewer !== this.viewer) return;
    if (same) viewer.setToken(token);
    this.renewal.provide(same ? token : "");
    if (same === false || (same && viewer.phase === "failed")) await this.open();
  }

  private get language(): Language {
    return languageOf(this.lang, document.documentElement.lang, ...navigator.languages);
  }

  private emit(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-viewer": AuditlaneViewer;
  }
}
