/** `<auditlane-viewer>`: a tenant's log. It puts the parts together, and knows nothing of what they do. */
import { ContextProvider } from "@lit/context";
import { css, html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";

import { languageOf } from "../i18n/index.js";
import { searchOf, viewOf } from "../model/view.js";
import { base } from "../styles/base.js";
import { kitTokens } from "../styles/kit.js";
import { tokens } from "../styles/tokens.js";
import "./download/download.js";
import "./search/histogram.js";
import "./search/search.js";
import "./search/tiles.js";
import "./states/problem.js";
import "./table/columns.js";
import "./table/table.js";
import { Log, logContext } from "./log.js";

/**
 * Attributes: `base-url` (where the service is; empty for the page's own origin), `token` (a viewer token; without one
 * the browser's session counts), `tenant` (only with a token of the whole environment), `lang`, `theme` (auto, light,
 * dark), `address` (present: what is looked at is kept in the page's address).
 *
 * Events: `token-expired` (the host sets a new `token`; what was asked goes on with it), `auditlane-ready`,
 * `auditlane-problem` with the problem as detail.
 */
@customElement("auditlane-viewer")
export class AuditlaneViewer extends LitElement {
  static override styles = [
    tokens,
    kitTokens,
    base,
    css`
      :host {
        display: flex;
        flex-direction: column;
        height: 100%;
        min-height: 24rem;
        background: var(--ground);
        color-scheme: light dark;
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        align-items: start;
        gap: 0.5rem;
      }
      auditlane-search {
        flex: 1 1 30rem;
      }
      auditlane-table {
        flex: 1 1 0;
        min-height: 12rem;
      }
      :host([theme="light"]) {
        color-scheme: light;
      }
      :host([theme="dark"]) {
        color-scheme: dark;
      }
    `,
  ];

  @property({ attribute: "base-url" }) baseUrl = "";
  @property() token = "";
  @property() tenant = "";
  @property({ reflect: true }) theme: "auto" | "light" | "dark" = "auto";
  @property() override lang = "";
  @property({ type: Boolean }) address = false;

  @state() private log: Log | null = null;

  private readonly provider = new ContextProvider(this, { context: logContext });
  private awaited: ((token: string) => void)[] = [];
  private opening = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("popstate", this.back);
    if (this.hasUpdated) void this.open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("popstate", this.back);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const place = (["baseUrl", "tenant", "lang"] as const).some((name) => changed.has(name));
    if (!this.hasUpdated || place) void this.open();
    else if (changed.has("token")) this.renew();
  }

  /** Reads everything anew, as a first look would. */
  async open(): Promise<void> {
    const turn = ++this.opening;
    const place = { baseUrl: this.baseUrl.replace(/\/+$/, ""), token: this.token, tenant: this.tenant };
    const log = await Log.open(place, () => this.expired(), languageOf(this.lang, document.documentElement.lang, ...navigator.languages));
    if (turn !== this.opening) return; // another place was named meanwhile
    if (this.address) log.view = viewOf(location.search);
    log.addEventListener("look", () => this.remember(log));
    log.addEventListener("change", () => this.requestUpdate());
    this.provider.setValue(log);
    this.log = log;
    await log.load();
    if (log.problem) this.tell("auditlane-problem", log.problem);
    else this.tell("auditlane-ready", null);
  }

  protected override render(): TemplateResult | typeof nothing {
    const log = this.log;
    if (!log) return nothing;
    if (log.phase === "loading") return html`<p role="status">${log.text.states.loading}</p>`;
    if (log.problem) return html`<auditlane-problem .problem=${log.problem} @retry=${() => log.load()}></auditlane-problem>`;
    return html`
      <h2 class="unseen">${log.text.states.title(log.tenant)}</h2>
      <auditlane-tiles></auditlane-tiles>
      <div class="bar">
        <auditlane-search></auditlane-search>
        <auditlane-columns></auditlane-columns>
        ${log.may("audits:export") ? html`<auditlane-download></auditlane-download>` : nothing}
      </div>
      <auditlane-histogram></auditlane-histogram>
      <auditlane-table></auditlane-table>
    `;
  }

  /** The host sets `token` after this event; nobody does so where a cookie is the session. */
  private expired(): Promise<string> {
    return new Promise((resolve) => {
      this.awaited.push(resolve);
      this.tell("token-expired", null);
    });
  }

  private renew(): void {
    const waiting = this.awaited;
    this.awaited = [];
    if (waiting.length) for (const resolve of waiting) resolve(this.token);
    else void this.open();
  }

  private remember(log: Log): void {
    if (!this.address) return;
    const search = searchOf(log.view, location.search);
    if (search !== location.search) history.pushState(null, "", `${location.pathname}${search}${location.hash}`);
  }

  private readonly back = (): void => {
    if (this.address) this.log?.look(viewOf(location.search));
  };

  private tell(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-viewer": AuditlaneViewer;
  }
}
