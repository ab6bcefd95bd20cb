import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";

import { Countdown } from "../../elements/countdown.js";
import { formatSeconds } from "../../model/format/summary.js";
import { kindOf, maySucceedLater } from "../../model/problem-kind.js";
import { describeDetail } from "../../model/query-error.js";
import { baseStyles } from "../../styles/base.js";
import { icon, type IconName } from "../../styles/icons.js";
import { noticeStyles } from "../../styles/notice.js";
import type { Failure } from "../failures.js";
import { ViewerElement } from "../viewer-element.js";
import type { ViewerState } from "../viewer-state.js";

/**
 * @summary Notices about the whole viewer: no connection, an expired session, failed requests, first use.
 *
 * @csspart notice - The notice.
 * @csspart first-use - The instructions for the first event.
 */
@customElement("auditlane-notices")
export class Notices extends ViewerElement {
  static override styles = [baseStyles, noticeStyles];

  @state() private dismissed = false;
  @state() private firstUseLoaded = false;

  private checkedViewer: ViewerState | null = null;
  private countdownFailure: Failure | null = null;
  private readonly countdown = new Countdown(this, () => this.viewer.retry());

  protected override willUpdate(): void {
    const { failures } = this.viewer;
    if (failures.first === this.countdownFailure) return;
    this.countdownFailure = failures.first;
    this.countdown.start(failures.shownInPlace ? 0 : failures.wait);
  }

  protected override render(): TemplateResult {
    const { viewer } = this;
    const first = viewer.unused === true && !this.dismissed && this.firstUseLoaded;
    const notice = this.notice();
    this.toggleAttribute("idle", notice === nothing && !first);
    return html`
      <div role="status">${notice}</div>
      ${first ? html`<auditlane-first-use part="first-use" @hide=${() => (this.dismissed = true)}></auditlane-first-use>` : nothing}
    `;
  }

  protected override updated(): void {
    if (this.checkedViewer === this.viewer || this.viewer.phase !== "ready") return;
    this.checkedViewer = this.viewer;
    // Runs once per viewer, after the first rows.
    const { viewer } = this;
    setTimeout(() => this.isConnected && void this.checkFirstUse(viewer), 300);
  }

  private notice(): TemplateResult | typeof nothing {
    const { states } = this.text;
    const { authProblem, offline, unreachable, failures } = this.viewer;
    if (authProblem) return this.line("lock", states.endedNotice);
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
    return this.line("warning", content, maySucceedLater(kind));
  }

  /** Renders a notice, with a retry button unless a failed element has its own. */
  private line(sign: IconName, content: TemplateResult | string, retryable = true): TemplateResult {
    return html`<div class="notice" part="notice">
      ${icon(sign)}
      <p>${content}</p>
      ${retryable && !this.viewer.failures.shownInPlace
        ? html`<button @click=${() => this.viewer.retry()}>${icon("refresh")}${this.text.states.retry}</button>`
        : nothing}
    </div>`;
  }

  private async checkFirstUse(viewer: ViewerState): Promise<void> {
    const unused = await viewer.checkUnused().catch(() => false);
    if (!unused) return;
    if (!(await this.viewer.lazyImports.load(() => import("./first-use.js")))) return;
    this.firstUseLoaded = true;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-notices": Notices;
  }
}
