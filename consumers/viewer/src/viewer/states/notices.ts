/** `<auditlane-notices>`: what concerns the whole viewer while it goes on: no connection, a session that ended, first use. */
import { css, html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";

import { late } from "../../elements/lazy-import.js";
import { secondsTold } from "../../model/format/summary.js";
import { detailOf, maySucceedLater, troubleOf } from "../../model/problem-kind.js";
import { base } from "../../styles/base.js";
import { icon, type IconName } from "../../styles/icons.js";
import { notice } from "../../styles/notice.js";
import { Countdown } from "../../elements/countdown.js";
import type { Failure } from "../failures.js";
import type { ViewerState } from "../viewer-state.js";
import { ViewerElement } from "../viewer-element.js";

@customElement("auditlane-notices")
export class Notices extends ViewerElement {
  static override styles = [
    base,
    notice,
    css`
      :host {
        display: block;
      }
      :host([idle]) {
        display: none;
      }
    `,
  ];

  @state() private put = false;
  @state() private ready = false;

  private asked: ViewerState | null = null;
  private counted: Failure | null = null;
  private readonly countdown = new Countdown(this, () => this.viewer.retry());

  protected override willUpdate(): void {
    const { failures } = this.viewer;
    if (failures.first === this.counted) return;
    this.counted = failures.first;
    this.countdown.start(failures.shownInPlace ? 0 : failures.wait);
  }

  protected override render(): TemplateResult {
    const { viewer } = this;
    const first = viewer.unused === true && !this.put && this.ready;
    const notice = this.notice();
    this.toggleAttribute("idle", notice === nothing && !first);
    return html`
      <div role="status">${notice}</div>
      ${first ? html`<auditlane-first-use part="first-use" @hide=${() => (this.put = true)}></auditlane-first-use>` : nothing}
    `;
  }

  protected override updated(): void {
    if (this.asked === this.viewer || this.viewer.phase !== "ready") return;
    this.asked = this.viewer;
    // Once a viewer, when there is nothing better to do.
    const { viewer } = this;
    setTimeout(() => this.isConnected && void this.learn(viewer), 300);
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
    const trouble = troubleOf(problem);
    const { title, advice } = states.problems[trouble];
    const { left } = this.countdown;
    const { words, own } = detailOf(problem, this.text);
    const more = [words, problem.requestId && trouble === "failed" ? `${states.requestId}: ${problem.requestId}` : ""];
    const said = html`${title}. ${keepsData ? states.maybeOld : advice}
      ${left ? html`<span class="quietly">${states.retryIn(secondsTold(left, this.viewer.language))}</span>` : nothing}
      ${more.map((one) => (one ? html`<span class="quietly" lang=${own ? nothing : "en"}>${one}</span>` : nothing))}`;
    return this.line("warning", said, maySucceedLater(trouble));
  }

  /** With a button, unless whatever failed has one. */
  private line(sign: IconName, said: TemplateResult | string, again = true): TemplateResult {
    return html`<div class="notice" part="notice">
      ${icon(sign)}
      <p>${said}</p>
      ${again && !this.viewer.failures.shownInPlace
        ? html`<button @click=${() => this.viewer.retry()}>${icon("refresh")}${this.text.states.retry}</button>`
        : nothing}
    </div>`;
  }

  private async learn(viewer: ViewerState): Promise<void> {
    const unused = await viewer.checkUnused().catch(() => false);
    if (!unused) return;
    if (!(await late.load(() => import("./first-use.js")))) return;
    this.ready = true;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-notices": Notices;
  }
}
