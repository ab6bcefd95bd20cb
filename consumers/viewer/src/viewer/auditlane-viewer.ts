import { ContextProvider } from "@lit/context";
import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";

import type { AuditEvent } from "../api/types.js";
import { customElement } from "../elements/define.js";
import "../elements/dropdown.js";
import type { Dropdown } from "../elements/dropdown.js";
import { NarrowController } from "../elements/narrow.js";
import "../elements/stale-bundle-notice.js";
import { TokenRenewal } from "../elements/token-renewal.js";
import { DIRECTIONS, type Language, languageOf } from "../i18n/index.js";
import { type CellRenderer, type Density, type HeadingRenderer, type HostOptions, hostRange, NO_OPTIONS, parseHostRange } from "../model/host-options.js";
import { ALL_TIME } from "../model/range.js";
import type { Shortcut } from "../model/shortcuts.js";
import type { View } from "../model/view.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { tokens } from "../styles/tokens.js";
import { auditlaneViewerStyles } from "./auditlane-viewer.styles.js";
import "./copy-link.js";
import "./download/download-button.js";
import { HistoryController } from "./history-controller.js";
import "./live-switch.js";
import { Reconnect } from "./reconnect.js";
import { ShortcutController } from "./shortcut-controller.js";
import "./search/histogram.js";
import "./search/search.js";
import type { Search } from "./search/search.js";
import "./search/tiles.js";
import "./states/empty.js";
import "./states/notices.js";
import { operatorBanner } from "./states/operator-banner.js";
import { operatorBannerStyles } from "./states/operator-banner.styles.js";
import "./states/problem-notice.js";
import { skeleton } from "./states/skeleton.js";
import { skeletonStyles } from "./states/skeleton.styles.js";
import "./table/column-menu.js";
import "./table/table.js";
import type { Table } from "./table/table.js";
import { viewerContext, ViewerState } from "./viewer-state.js";
import { VisitController } from "./visit-controller.js";

const OPTIONS = ["columns", "density", "hide", "locale", "range", "texts", "renderCell", "renderHeading"] as const;

/** The search that the reader sees. `query` is in the query language, and `range` is in the same form as that attribute. */
export interface QueryDetail {
  query: string;
  range: string;
}

/** The event that the reader opens. */
export interface OpenDetail {
  event: AuditEvent;
}

/**
 * @summary Shows a tenant's audit log: search, time range, histogram, table, details, live tail and downloads.
 *
 * @slot toolbar - Buttons of the host page, before the viewer's own; on phones, in the menu after them.
 *
 * @event token-expired - There is no token, or it has expired. The host sets a new `token`; waiting requests then continue.
 * @event auditlane-ready - The log can be read.
 * @event {CustomEvent<OpenDetail>} auditlane-open - The reader opens an event. `preventDefault()` keeps the details closed.
 * @event {CustomEvent<QueryDetail>} auditlane-query - The search or the time range has changed.
 * @event {CustomEvent<Problem>} auditlane-problem - The log cannot be read; `detail` is the problem.
 *
 * @csspart root - The whole content.
 * @csspart header - The title and the toolbar.
 * @csspart title - The heading, with the tenant's name.
 * @csspart toolbar - The buttons.
 * @csspart button - Each button of the toolbar; also `refresh`, `live`, `columns`, `copy-link`, `save-view`, `download`, `settings`, and `back` in the settings.
 * @csspart visit - The banner shown to an operator who views the log from the console.
 * @csspart notice - A one-line notice about the whole viewer.
 * @csspart first-use - The instructions shown until the first event arrives.
 * @csspart views - The saved views as tabs, and `tab`, each of them.
 * @csspart tiles - Today's and this week's figures.
 * @csspart tile - One of these figures.
 * @csspart search - The query, its chips and the time range.
 * @csspart histogram - The chart of events over time.
 * @csspart table - The table with the details beside it.
 * @csspart grid - The scrolling part of the table.
 * @csspart head - The table's head.
 * @csspart head-cell - Each column's head.
 * @csspart body - The table's rows.
 * @csspart row - Each row.
 * @csspart cell - Each cell of a row.
 * @csspart details - The details of the open event.
 * @csspart custom - Elements with this part that `renderCell` or `renderHeading` returned.
 * @csspart dialog - The download dialog.
 * @csspart state - The message shown in place of everything else while the log cannot be read.
 *
 * @cssproperty --auditlane-ground - The background; also `-ground-2` for cards and `-ground-3` for hovered elements.
 * @cssproperty --auditlane-ink - The text; also `-ink-2` for secondary text.
 * @cssproperty --auditlane-line - Separators; also `-edge` for the borders of controls.
 * @cssproperty --auditlane-accent - Primary buttons, links and focus; also `-on-accent` and `-accent-ground`.
 * @cssproperty --auditlane-good - Success; also `-warn` and `-bad`.
 * @cssproperty --auditlane-radius - The corners; also `-size`, `-font` and `-mono`.
 */
@customElement("auditlane-viewer")
export class AuditlaneViewer extends LitElement {
  static override styles = [tokens, baseStyles, auditlaneViewerStyles, skeletonStyles, operatorBannerStyles];

  /** The URL of the service; empty for the page's own origin. */
  @property({ attribute: "base-url" }) baseUrl = "";
  /** A viewer token. Without one, the browser's session is used when the service has the page's origin. */
  @property() token = "";
  /** The tenant, for an environment-wide token. */
  @property() tenant = "";
  /** The colour scheme; `auto` follows the reader's system. */
  @property({ reflect: true }) theme: "auto" | "light" | "dark" = "auto";
  /** The language (`en`, `de`). If empty, it is the page's language, or else the browser's. */
  @property() override lang = "";
  /** Whether to keep the view in the address of the page, so that it can be shared and "back" works. */
  @property({ type: Boolean }) address = false;
  /** The sign-in page for readers without a valid session. Its `return_to` parameter is the page to which it returns. */
  @property({ attribute: "sign-in-url" }) signInUrl = "";
  /** Hides the instructions that a reader who may configure the log sees until the first event arrives. */
  @property({ type: Boolean, attribute: "hide-first-use" }) hideFirstUse = false;

  /** The search, in the query language, until the reader changes it. A new value replaces the reader's. */
  @property() query = "";
  /** The time range, until the reader changes it: a preset such as `7d`, or `FROM..TO`. A new value replaces the reader's. */
  @property() range = "";
  /** The names of the columns, in order, for readers who have not chosen their own. */
  @property() columns = "";
  /** The height of rows, for readers who have not chosen one. */
  @property() density: "" | Density = "";
  /**
   * The parts that are left out, separated by spaces: title, search, tiles, histogram, refresh, live, columns,
   * copy-link, save-view, views, download, settings.
   */
  @property() hide = "";
  /** The locale for dates and numbers, a BCP 47 tag such as `en-GB`. Empty for the reader's variant of the language. */
  @property() locale = "";
  /** Replacements of interface texts, by path, such as `{"states.heading": "Activity"}`. As an attribute, they are written as JSON. */
  @property({ type: Object }) texts: Record<string, string> = {};
  /** Renders a cell of the table. Returns text, a new node, or null for the viewer's own cell. */
  @property({ attribute: false }) renderCell: CellRenderer | null = null;
  /** Renders the heading of an event's details. Returns text, a new node, or null for the viewer's own heading. */
  @property({ attribute: false }) renderHeading: HeadingRenderer | null = null;

  /** Whether keyboard shortcuts work wherever the focus is in the page. Otherwise, they work only while it is in the viewer. */
  @property({ type: Boolean, attribute: "page-keys" }) pageKeys = false;

  @state() private viewer: ViewerState | null = null;
  /** Whether the settings module has been loaded. */
  @state() private settingsLoaded = false;
  @state() private shortcutHelpLoaded = false;
  @state() private viewDialogLoaded = false;
  private viewsLoading = false;

  private readonly provider = new ContextProvider(this, { context: viewerContext });
  private readonly renewal = new TokenRenewal(() => this.emit("token-expired", null));
  private readonly history = new HistoryController(this, {
    viewer: () => this.viewer,
    hostSearch: () => this.hostSearch,
    confirmLeave: async () => (await this.renderRoot.querySelector("auditlane-settings")?.mayLeave()) ?? true,
    onLeft: () => void this.focusOn("#settings"),
  });
  private readonly visits = new VisitController(this);
  private readonly size = new NarrowController(this);
  private reconnect: Reconnect | null = null;
  private openCount = 0;
  private shownSearch = "";

  constructor() {
    super();
    new ShortcutController(this, { wholePage: () => this.pageKeys, run: (shortcut) => this.runShortcut(shortcut) });
  }

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
    const endpointChanged = (["baseUrl", "tenant"] as const).some((name) => changed.has(name));
    const optionsChanged = OPTIONS.some((name) => changed.has(name));
    if (!this.hasUpdated || endpointChanged) void this.open();
    else if (changed.has("token")) void this.onTokenChanged();
    else if (changed.has("lang") || optionsChanged) void (this.viewer ? this.relabel() : this.open());
    const { query, range } = this.hostSearch;
    if (this.hasUpdated && changed.has("query")) this.viewer?.setView({ query });
    if (this.hasUpdated && changed.has("range")) this.viewer?.setView({ range });
    if (changed.has("signInUrl")) this.viewer?.setSignInUrl(this.signInUrl);
    if (this.viewer?.savedViews.shown) void this.loadViews(this.viewer);
    if (this.viewer?.view.settings && !this.settingsLoaded) void this.loadSettingsOrClose(this.viewer);
  }

  /** Loads everything again. */
  async open(): Promise<void> {
    const openCount = ++this.openCount;
    const baseUrl = this.baseUrl.replace(/\/+$/, "");
    const token = await this.renewal.initialToken(baseUrl, this.token);
    if (openCount !== this.openCount) return;
    const endpoint = { baseUrl, token, tenant: this.tenant };
    const renew = (): Promise<string> => this.renewal.renew(this.token, viewer.client.token, (next) => viewer.verifyToken(next));
    const viewer = await ViewerState.open(endpoint, renew, this.language, await this.readOptions());
    if (openCount !== this.openCount) return; // the endpoint has changed in the meantime
    this.history.start(viewer, this.address);
    viewer.signInUrl = this.signInUrl;
    viewer.addEventListener("change", () => this.requestUpdate());
    this.shownSearch = JSON.stringify(searchOf(viewer));
    viewer.addEventListener("view-change", () => this.onViewChange(viewer));
    this.reconnect?.close();
    this.reconnect = new Reconnect(viewer);
    this.provider.setValue(viewer);
    this.viewer = viewer;
    await viewer.load();
    this.visits.begin(viewer);
    if (openCount === this.openCount) this.emit(viewer.problem ? "auditlane-problem" : "auditlane-ready", viewer.problem);
  }

  protected override render(): TemplateResult {
    const viewer = this.viewer;
    if (!viewer) return html`<div class="root">${skeleton()}</div>`;
    return html`<div class="root ${viewer.view.open ? "reading" : ""}" part="root" lang=${viewer.language} dir=${DIRECTIONS[viewer.language]}>${this.renderContent(viewer)}</div>`;
  }

  private renderContent(viewer: ViewerState): TemplateResult {
    if (viewer.phase === "loading") {
      return html`<p class="unseen" role="status">${viewer.text.states.loading}</p>${skeleton()}`;
    }
    if (viewer.view.settings && viewer.canOpenSettings) return this.renderSettings(viewer);
    if (viewer.problem) {
      return html`${this.renderHeader(viewer, false)}
        <auditlane-problem
          class="state"
          part="state"
          whole
          .problem=${viewer.problem}
          @retry=${() => viewer.load()}
          @settings=${this.openSettings}
        ></auditlane-problem>`;
    }
    const { hidden } = viewer.host;
    const searchElements = html`
      ${hidden.has("tiles") || this.size.low ? nothing : html`<auditlane-tiles part="tiles" exportparts="tile"></auditlane-tiles>`}
      ${hidden.has("search") ? nothing : html`<auditlane-search part="search"></auditlane-search>`}
      ${hidden.has("histogram") ? nothing : html`<auditlane-histogram part="histogram"></auditlane-histogram>`}
    `;
    return html`
      <button class="skip" @click=${() => this.table?.focus()}>${viewer.text.reading.shortcuts.skip}</button>
      ${this.renderHeader(viewer, true)}
      <auditlane-stale-bundle-notice
        exportparts="notice"
        .text=${viewer.text.states}
        .imports=${viewer.lazyImports}
      ></auditlane-stale-bundle-notice>
      <auditlane-notices exportparts="notice, first-use" .hideFirstUse=${this.hideFirstUse}></auditlane-notices>
      ${viewer.savedViews.shown && !hidden.has("views") ? html`<auditlane-views part="views" exportparts="tab, dialog, notice" @emptied=${() => this.table?.focus()}></auditlane-views>` : nothing}
      ${viewer.unused && !viewer.view.query ? nothing : searchElements}
      <auditlane-table part="table" exportparts="grid, head, head-cell, body, row, cell, details, custom"></auditlane-table>
      ${this.shortcutHelpLoaded ? html`<auditlane-shortcut-help></auditlane-shortcut-help>` : nothing}
      ${this.viewDialogLoaded ? html`<auditlane-view-dialog exportparts="dialog"></auditlane-view-dialog>` : nothing}
    `;
  }

  private renderHeader(viewer: ViewerState, complete: boolean): TemplateResult {
    const { text } = viewer;
    const { hidden } = viewer.host;
    const settings = viewer.canOpenSettings && !hidden.has("settings")
      ? html`<button id="settings" part="button settings" title=${text.states.settings} @click=${this.openSettings}>
          ${icon("settings")}<span class="label">${text.states.settings}</span>
        </button>`
      : nothing;
    const refresh = hidden.has("refresh")
      ? nothing
      : html`<button part="button refresh" title=${text.states.refresh} @click=${() => viewer.refresh()}>
          ${icon("refresh")}<span class="label">${text.states.refresh}</span>
        </button>`;
    const { narrow } = this.size;
    const live = hidden.has("live") ? nothing : html`<auditlane-live exportparts="button, live"></auditlane-live>`;
    const columns = hidden.has("columns") ? nothing : html`<auditlane-columns ?labelled=${narrow} exportparts="button, columns"></auditlane-columns>`;
    const copyLink = viewer.usesAddress && !hidden.has("copy-link") ? html`<auditlane-copy-link exportparts="button, copy-link"></auditlane-copy-link>` : nothing;
    const save = hidden.has("save-view")
      ? nothing
      : html`<button part="button save-view" aria-haspopup="dialog" title=${text.reading.saveView.title} @click=${this.saveView}>
          ${icon("save")}<span class="label">${text.reading.saveView.button}</span>
        </button>`;
    const download = viewer.can("audits:export") && !hidden.has("download")
      ? html`<auditlane-download exportparts="button, download, dialog"></auditlane-download>`
      : nothing;
    const own = html`<slot name="toolbar"></slot>`;
    const tools = !complete
      ? html`${own}${settings}`
      : narrow
        ? html`${copyLink}${download}${settings}
            <auditlane-dropdown class="rest" quiet .name=${text.states.more} .label=${text.states.more}>
              <span slot="button">${icon("more")}</span>
              <div class="menu" @click=${this.closeRest}>${refresh}${live}${columns}${save}${own}</div>
            </auditlane-dropdown>`
        : html`${own}${refresh}${live}${columns}${copyLink}${save}${download}${settings}`;
    return html`${operatorBanner(viewer)}<div class="head" part="header">
      ${hidden.has("title") ? nothing : html`<h2 part="title">${text.states.heading}<span class="tenant">${viewer.tenant}</span></h2>`}
      <div class="tools" part="toolbar">${tools}</div>
    </div>`;
  }

  /** Closes the menu of the toolbar after one of its own buttons was pressed. Other elements in it open panels or belong to the host. */
  private readonly closeRest = (event: Event): void => {
    if ((event.target as Element).closest("button[part]")) this.renderRoot.querySelector<Dropdown>(".rest")?.close();
  };

  private renderSettings(viewer: ViewerState): TemplateResult {
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

  private get table(): Table | null {
    return this.renderRoot.querySelector("auditlane-table");
  }

  /** Returns whether the shortcut did something. */
  private runShortcut(shortcut: Shortcut): boolean {
    const { table } = this;
    if (!table) return false;
    const actions: Record<Shortcut, () => boolean> = {
      search: () => this.inSearch((search) => search.focus()),
      filter: () => this.inSearch((search) => search.show("filter")),
      period: () => this.inSearch((search) => search.show("range")),
      next: () => table.move(1),
      previous: () => table.move(-1),
      open: () => table.openActive(),
      close: () => table.dismiss(),
      copyLink: () => this.press("auditlane-copy-link"),
      download: () => this.press("auditlane-download"),
      help: () => (void this.showShortcutHelp(), true),
    };
    return actions[shortcut]();
  }

  private inSearch(run: (search: Search) => void): boolean {
    const search = this.renderRoot.querySelector("auditlane-search");
    if (!search?.checkVisibility()) return false; // on phones, the details cover it
    run(search);
    return true;
  }

  private press(name: "auditlane-copy-link" | "auditlane-download"): boolean {
    const tool = this.renderRoot.querySelector(name);
    if (!tool?.parentElement?.checkVisibility()) return false;
    tool.press();
    return true;
  }

  private async showShortcutHelp(): Promise<void> {
    if (!(await this.viewer?.lazyImports.load(() => import("./shortcut-help.js")))) return;
    this.shortcutHelpLoaded = true;
    await this.updateComplete;
    await this.renderRoot.querySelector("auditlane-shortcut-help")?.show();
  }

  private readonly saveView = async (): Promise<void> => {
    if (!(await this.viewer?.lazyImports.load(() => import("./views/views.js")))) return;
    this.viewDialogLoaded = true;
    await this.updateComplete;
    await this.renderRoot.querySelector("auditlane-view-dialog")?.show({ kind: "save" });
  };

  /** Loads the tabs of the saved views. Their space is reserved until then. */
  private async loadViews(viewer: ViewerState): Promise<void> {
    if (this.viewsLoading) return;
    this.viewsLoading = true;
    this.viewsLoading = (await viewer.lazyImports.load(() => import("./views/views.js"))) !== null;
  }

  private readonly openSettings = async (): Promise<void> => {
    const { viewer } = this;
    if (!viewer || !(await this.loadSettings(viewer)) || viewer !== this.viewer) return;
    viewer.setView({ settings: true });
    await this.focusOn("#back");
  };

  /** Loads the settings module, and resolves to whether that succeeded. */
  private async loadSettings(viewer: ViewerState): Promise<boolean> {
    this.settingsLoaded ||= (await viewer.lazyImports.load(() => import("../settings/auditlane-settings.js"))) !== null;
    return this.settingsLoaded;
  }

  /** Loads the settings module if the address or the history opens the settings. If that fails, the settings are closed. */
  private async loadSettingsOrClose(viewer: ViewerState): Promise<void> {
    if (!(await this.loadSettings(viewer)) && viewer === this.viewer) viewer.setView({ settings: false });
  }

  private async focusOn(selector: string): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(selector)?.focus();
  }

  /**
   * Keeps the session if the new token is for the same user and tenant.
   *
   * Otherwise, everything is loaded again, so that no user sees another user's events. Removing the token also removes
   * the events, unless a renewal is pending.
   */
  private async onTokenChanged(): Promise<void> {
    const { viewer, token } = this;
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

  /** The search chosen by the host page. */
  private get hostSearch(): Pick<View, "query" | "range"> {
    return { query: this.query, range: parseHostRange(this.range) ?? ALL_TIME };
  }

  /** Parses the host's attributes. The parser is loaded only if there are any. If that fails, they have no effect. */
  private async readOptions(): Promise<HostOptions> {
    const given = OPTIONS.some((name) => this[name] && (name !== "texts" || Object.keys(this.texts).length));
    return given ? await import("../model/host-attributes.js").then(({ readOptions }) => readOptions(this), () => NO_OPTIONS) : NO_OPTIONS;
  }

  private async relabel(): Promise<void> {
    await this.viewer?.setLanguage(this.language, await this.readOptions());
  }

  private onViewChange(viewer: ViewerState): void {
    const search = searchOf(viewer);
    if (viewer !== this.viewer || JSON.stringify(search) === this.shownSearch) return;
    this.shownSearch = JSON.stringify(search);
    this.emit("auditlane-query", search);
  }

  private emit(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

/** Returns the search in the same form as the host's attributes. */
function searchOf({ view }: ViewerState): QueryDetail {
  return { query: view.query, range: hostRange(view.range) };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-viewer": AuditlaneViewer;
  }
}
