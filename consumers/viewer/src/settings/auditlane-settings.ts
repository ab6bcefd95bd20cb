import { ContextProvider } from "@lit/context";
import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, query, state } from "lit/decorators.js";

import { customElement } from "../elements/define.js";
import "../elements/stale-bundle-notice.js";
import { TokenRenewal } from "../elements/token-renewal.js";
import { DIRECTIONS, type Language, languageOf } from "../i18n/index.js";
import { visible } from "../model/format/text.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { tokens } from "../styles/tokens.js";
import { auditlaneSettingsStyles } from "./auditlane-settings.styles.js";
import "./action-list.js";
import "./confirm-dialog.js";
import type { ConfirmDialog } from "./confirm-dialog.js";
import "./conflict-notice.js";
import "./field-list.js";
import "./link-list.js";
import "./preview.js";
import { problemNote } from "./problem-note.js";
import { relativeTime } from "./relative-time.js";
import "./removed-fields.js";
import "./revision-history.js";
import "./save-bar.js";
import { noteStyles, sectionStyles } from "./section.styles.js";
import { settingsContext, SettingsState } from "./settings-state.js";
import "./switch-card.js";

/**
 * @summary Edits the on/off switch and the data structure of a tenant or of the environment.
 *
 * @event token-expired - There is no token, or it has expired. The host sets a new `token`.
 * @event {CustomEvent<Problem>} auditlane-problem - The settings cannot be read; `detail` is the problem.
 * @event {CustomEvent<Structure>} auditlane-saved - A change was saved; `detail` is the new structure.
 *
 * @csspart root - The whole content.
 * @csspart header - The title and the last change.
 * @csspart note - A note about the whole element.
 * @csspart notice - The notice that a module could not be loaded.
 */
@customElement("auditlane-settings")
export class AuditlaneSettings extends LitElement {
  static override styles = [tokens, baseStyles, sectionStyles, noteStyles, auditlaneSettingsStyles];

  /** The URL of the service; empty for the page's own origin. */
  @property({ attribute: "base-url" }) baseUrl = "";
  /** A viewer token. Without one, the browser's session is used when the service has the page's origin. */
  @property() token = "";
  /** The tenant; empty for the credential's own tenant or the environment. */
  @property() tenant = "";
  /** The colour scheme; `auto` follows the reader's system. */
  @property({ reflect: true }) theme: "auto" | "light" | "dark" = "auto";
  /** The language (`en`, `de`). If empty, it is the page's language, or else the browser's. */
  @property() override lang = "";

  @state() private settings: SettingsState | null = null;
  @query("#leave") private readonly leaveDialog!: ConfirmDialog | null;

  private readonly provider = new ContextProvider(this, { context: settingsContext });
  private readonly renewal = new TokenRenewal(() => this.emit("token-expired", null));
  private openCount = 0;

  /** Whether there are unsaved changes. */
  get unsaved(): boolean {
    return this.settings?.unsaved ?? false;
  }

  /** Resolves to whether the user wants to leave. Asks if there are unsaved changes. Hosts call it before they navigate. */
  async mayLeave(): Promise<boolean> {
    const words = this.settings?.text.settings.leave;
    if (!this.unsaved || !words || !this.leaveDialog) return true;
    return await this.leaveDialog.ask({ title: words.title, lines: [words.lead], confirm: words.go, cancel: words.stay });
  }

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("beforeunload", this.onBeforeUnload);
    window.addEventListener("online", this.onOnline);
    if (this.hasUpdated) void this.open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("beforeunload", this.onBeforeUnload);
    window.removeEventListener("online", this.onOnline);
    this.openCount += 1;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const endpointChanged = (["baseUrl", "tenant"] as const).some((name) => changed.has(name));
    if (!this.hasUpdated || endpointChanged) void this.open();
    else if (changed.has("token")) void this.onTokenChanged();
    else if (changed.has("lang")) void this.settings?.setLanguage(this.language);
  }

  /** Loads everything again, and discards unsaved changes. */
  async open(): Promise<void> {
    const openCount = ++this.openCount;
    const baseUrl = this.baseUrl.replace(/\/+$/, "");
    const token = await this.renewal.initialToken(baseUrl, this.token);
    if (openCount !== this.openCount) return;
    const renew = (): Promise<string> =>
      this.renewal.renew(this.token, settings.client.token, (next) => settings.verifyToken(next));
    const settings = await SettingsState.open({ baseUrl, token, tenant: this.tenant }, renew, this.language);
    if (openCount !== this.openCount) return; // the endpoint has changed in the meantime
    settings.addEventListener("heading", (event) => void this.focusHeading((event as CustomEvent<boolean>).detail));
    settings.addEventListener("change", () => this.requestUpdate());
    settings.addEventListener("saved", () => this.emit("auditlane-saved", settings.loaded?.structure ?? null));
    this.provider.setValue(settings);
    this.settings = settings;
    await settings.load();
    if (openCount === this.openCount && settings.problem) this.emit("auditlane-problem", settings.problem);
  }

  protected override render(): TemplateResult {
    const { settings } = this;
    if (!settings) return html`<div class="root">${skeleton}</div>`;
    return html`<div class="root" part="root" lang=${settings.language} dir=${DIRECTIONS[settings.language]}>${this.content(settings)}</div>`;
  }

  private content(settings: SettingsState): TemplateResult {
    const { text } = settings;
    if (settings.phase === "loading") return html`<p class="unseen" role="status">${text.states.loading}</p>${skeleton}`;
    if (settings.problem) return problemNote(settings.problem, text, () => void settings.load());
    return html`
      ${this.header(settings)}
      ${settings.canConfigure || settings.canEditContract
        ? nothing
        : html`<div class="note" part="note">${icon("lock")}<p>${text.settings.readOnly}</p></div>`}
      <auditlane-stale-bundle-notice
        exportparts="notice"
        .text=${text.states}
        .imports=${settings.lazyImports}
      ></auditlane-stale-bundle-notice>
      ${settings.conflict ? html`<auditlane-settings-conflict></auditlane-settings-conflict>` : nothing}
      ${settings.saveProblem ? problemNote(settings.saveProblem, text, null, text.settings.saveFailed) : nothing}
      <auditlane-settings-switch></auditlane-settings-switch>
      <auditlane-settings-fields></auditlane-settings-fields>
      <auditlane-settings-preview></auditlane-settings-preview>
      ${settings.loaded?.structure.removed.length ? html`<auditlane-settings-removed></auditlane-settings-removed>` : nothing}
      <auditlane-settings-links></auditlane-settings-links>
      ${settings.tenant === null ? html`<auditlane-settings-actions></auditlane-settings-actions>` : nothing}
      <auditlane-settings-history></auditlane-settings-history>
      <auditlane-settings-bar></auditlane-settings-bar>
      <auditlane-settings-confirm id="leave"></auditlane-settings-confirm>
      <p class="unseen" role="status">${visible(settings.announcement)}</p>
    `;
  }

  private header({ text, tenant, loaded, language }: SettingsState): TemplateResult {
    const words = text.settings;
    const { changedBy, changedAt } = loaded!.structure;
    const [before, after] = words.lastChanged(visible(changedBy), "\0").split("\0");
    return html`<header part="header">
      <h2 tabindex="-1">${words.title}<span class="tenant">${tenant ?? words.allTenants}</span></h2>
      <p class="quietly">
        ${tenant === null ? html`${words.allTenantsLead}<br />` : nothing}
        ${changedAt ? html`${before}${relativeTime(changedAt, language)}${after}` : words.neverChanged}
      </p>
    </header>`;
  }

  /**
   * Keeps the session if the new token is for the same user and tenant.
   *
   * Otherwise, or if the host removes the token without a pending renewal, everything is loaded again, so that no user
   * edits another user's draft.
   */
  private async onTokenChanged(): Promise<void> {
    const { settings, token } = this;
    const { pending } = this.renewal;
    if (!settings?.session || (!token && !pending)) {
      if (pending) return this.renewal.provide(token);
      if (!token) this.settings = null;
      return await this.open();
    }
    const same = await settings.verifyToken(token).catch(() => null);
    if (token !== this.token || settings !== this.settings) return;
    if (same) settings.setToken(token);
    this.renewal.provide(same ? token : "");
    if (same === false) await this.open();
  }

  private async focusHeading(preventScroll: boolean): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector("h2")?.focus({ preventScroll });
  }

  private get language(): Language {
    return languageOf(this.lang, document.documentElement.lang, ...navigator.languages);
  }

  private readonly onBeforeUnload = (event: BeforeUnloadEvent): void => {
    if (this.unsaved) event.preventDefault();
  };

  private readonly onOnline = (): void => {
    const { settings } = this;
    if (settings && ["OFFLINE", "UNREACHABLE"].includes(settings.problem?.code ?? "")) void settings.load();
  };

  private emit(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

const skeleton = html`<div class="skeleton" aria-hidden="true" part="skeleton">
  <div class="title"></div>
  <div class="switch"></div>
  ${Array.from({ length: 9 }, () => html`<div class="row"></div>`)}
</div>`;

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings": AuditlaneSettings;
  }
}
