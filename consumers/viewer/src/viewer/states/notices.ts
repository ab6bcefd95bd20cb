import { html, nothing, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";

import { Countdown } from "../../elements/countdown.js";
import { customElement } from "../../elements/define.js";
import { formatSeconds } from "../../model/format/summary.js";
import { kindOf, maySucceedLater } from "../../model/problem-kind.js";
import { describeDetail } from "../../model/query-error.js";
import { baseStyles } from "../../styles/base.js";
import { icon, type IconName } from "../../styles/icons.js";
import { noticeStyles } from "../../styles/notice.js";
import type { Failure } from "../failures.js";
import { ViewerElement } from "../viewer-element.js";
import type { ViewerState } from "../viewer-state.js";
import { wayBackControl, wayBackFor } from "./way-back.js";

const MARGIN_MS = 1_000; // after the end of a session
const MAX_TIMER_MS = 2 ** 31; // longer timers fire immediately
const POLL_MS = 5_000; // interval of checks for the tenant's first event

/**
 * @summary Notices about the whole viewer: no connection, an expired session, failed requests, first use.
 *
 * @csspart notice - The notice.
 * @csspart first-use - The instructions for the first event.
 */
@customElement("auditlane-notices")
export class Notices extends ViewerElement {
  static override styles = [baseStyles, noticeStyles];

  /** Whether the host page hides the instructions for the first event. */
  @property({ type: Boolean }) hideFirstUse = false;
  @state() private dismissed = false;
  @state() private firstUseLoaded = false;

  private timer: ReturnType<typeof setInterval> | undefined;
  private sessionTimer: ReturnType<typeof setTimeout> | undefined;
  private sessionEnd = "";
  private checkedViewer: ViewerState | null = null;
  private countdownFailure: Failure | null = null;
  private readonly countdown = new Countdown(this, () => this.viewer.retry());

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopPolling();
    clearTimeout(this.sessionTimer);
    this.sessionEnd = "";
    this.checkedViewer = null;
  }

  protected override willUpdate(): void {
    const { failures } = this.viewer;
    if (failures.first === this.countdownFailure) return;
    this.countdownFailure = failures.first;
    this.countdown.start(failures.shownInPlace ? 0 : failures.wait);
  }

  protected override render(): TemplateResult {
    const { viewer } = this;
    const first = viewer.unused === true && this.mayInstruct && !this.dismissed && this.firstUseLoaded;
    const notice = this.notice();
    this.toggleAttribute("idle", notice === nothing && !first);
    return html`
      <div role="status">${notice}</div>
      ${first ? html`<auditlane-first-use part="first-use" @hide=${() => (this.dismissed = true)}></auditlane-first-use>` : nothing}
    `;
  }

  protected override updated(): void {
    this.awaitSessionEnd();
    if (this.checkedViewer === this.viewer || this.viewer.phase !== "ready") return;
    this.checkedViewer = this.viewer;
    // Runs once per viewer, after the first rows have been shown.
    const { viewer } = this;
    setTimeout(() => this.isConnected && void this.checkFirstUse(viewer), 300);
  }

  /** Checks a browser's session when it ends, so that an idle reader is notified too. A token is renewed by the host instead. */
  private awaitSessionEnd(): void {
    const { client, session } = this.viewer;
    const end = client.token ? "" : (session?.expires_at ?? "");
    if (end === this.sessionEnd) return;
    this.sessionEnd = end;
    clearTimeout(this.sessionTimer);
    const wait = Date.parse(end) - Date.now() + MARGIN_MS;
    if (wait < MAX_TIMER_MS) this.sessionTimer = setTimeout(() => void this.viewer.checkSession(), wait);
  }

  private notice(): TemplateResult | typeof nothing {
    const { states } = this.text;
    const { authProblem, offline, unreachable, failures } = this.viewer;
    if (authProblem) {
      const reopen = wayBackFor(this.viewer).kind === "reopen";
      const control = failures.shownInPlace ? nothing : wayBackControl(this.viewer, { again: true });
      return this.line("lock", `${states.endedNotice}${reopen ? ` ${states.reopen}` : ""}`, control);
    }
    if (offline) return this.line("offline", unreachable ? states.unreachableNotice : states.offlineNotice);
    const failure = failures.shownInPlace ? null : failures.first;
    return failure ? this.failed(failure) : nothing;
  }

  private failed({ problem, keepsData }: Failure): TemplateResult {
    const { states } = this.text;
    const kind = kindOf(problem);
    const { title, advice } = states.problems[kind];
    const { left } = this.countdown;
    const { text, translated } = describeDetail(problem, this.text);
    const more = [text, problem.requestId && kind === "failed" ? `${states.requestId}: ${problem.requestId}` : ""];
    const content = html`${title}. ${keepsData ? states.maybeOld : advice}
      ${left ? html`<span class="quietly">${states.retryIn(formatSeconds(left, this.viewer.language))}</span>` : nothing}
      ${more.map((one) => (one ? html`<span class="quietly" lang=${translated ? nothing : "en"}>${one}</span>` : nothing))}`;
    return this.line("warning", content, maySucceedLater(kind) ? this.retryButton() : nothing);
  }

  private line(sign: IconName, content: TemplateResult | string, control = this.retryButton()): TemplateResult {
    return html`<div class="notice" part="notice">
      ${icon(sign)}
      <p>${content}</p>
      ${control}
    </div>`;
  }

  /** Renders a button to retry, unless an element that failed has one itself. */
  private retryButton(): TemplateResult | typeof nothing {
    if (this.viewer.failures.shownInPlace) return nothing;
    return html`<button @click=${() => this.viewer.retry()}>${icon("refresh")}${this.text.states.retry}</button>`;
  }

  private async checkFirstUse(viewer: ViewerState): Promise<void> {
    const unused = await viewer.checkUnused().catch(() => false);
    if (!unused) return;
    this.timer ??= setInterval(() => void this.checkForEvents(), POLL_MS);
    if (!this.mayInstruct) return;
    if (!(await this.viewer.lazyImports.load(() => import("./first-use.js")))) return;
    this.firstUseLoaded = true;
  }

  /** Shows the log when the tenant has sent its first event. */
  private async checkForEvents(): Promise<void> {
    const { viewer } = this;
    if (viewer.unused === false) return this.stopPolling();
    if (document.hidden || viewer.authProblem || viewer.offline) return;
    const unused = await viewer.checkUnused().catch(() => true);
    if (!unused) viewer.refresh();
  }

  private stopPolling(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Whether the reader may configure the log. Only then are instructions for sending events useful. */
  private get mayInstruct(): boolean {
    return !this.hideFirstUse && this.viewer.can("audits:configure");
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-notices": Notices;
  }
}
