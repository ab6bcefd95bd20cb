import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";

import type { Problem } from "../../api/problem.js";
import { Countdown } from "../../elements/countdown.js";
import { customElement } from "../../elements/define.js";
import { formatSeconds } from "../../model/format/summary.js";
import { kindOf, maySucceedLater, type ProblemKind } from "../../model/problem-kind.js";
import { describeDetail } from "../../model/query-error.js";
import { baseStyles } from "../../styles/base.js";
import { icon, type IconName } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import { problemNoticeStyles } from "./problem-notice.styles.js";
import { wayBackControl, wayBackFor } from "./way-back.js";

const ICONS: Partial<Record<ProblemKind, IconName>> = {
  expired: "lock",
  signedOut: "lock",
  forbidden: "lock",
  otherTenant: "lock",
  disabled: "off",
  offline: "offline",
  unreachable: "offline",
  limited: "clock",
  tooLarge: "clock",
  notUnderstood: "search",
  gone: "search",
};

/**
 * @summary Describes a problem and what to do about it.
 *
 * @event retry - Try again: the button was pressed, or the service's `Retry-After` has elapsed.
 * @event settings - Open the settings; only with `whole`.
 * @csspart problem - The content.
 */
@customElement("auditlane-problem")
export class ProblemNotice extends ViewerElement {
  static override styles = [baseStyles, problemNoticeStyles];

  @property({ attribute: false }) problem: Problem | null = null;
  @property({ type: Boolean, reflect: true }) whole = false;

  private readonly countdown = new Countdown(this, () => this.retry());

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("problem")) this.countdown.start(this.problem?.retryAfter ?? 0);
  }

  protected override render(): TemplateResult | typeof nothing {
    const problem = this.problem;
    if (!problem) return nothing;
    const words = this.text.states;
    const kind = kindOf(problem);
    const texts = words.problems[kind];
    const detail = describeDetail(problem, this.text);
    const needsSession = kind === "expired" || kind === "signedOut";
    const signsIn = needsSession && wayBackFor(this.viewer).kind === "signIn";
    return html`<div class="box" part="problem">
      <div role="alert">
        <p class="head">${icon(ICONS[kind] ?? "warning")}${texts.title}</p>
        <p>${signsIn ? words.signInAdvice : texts.advice}</p>
      </div>
      ${detail.text ? html`<p class="details" lang=${detail.translated ? nothing : "en"}>${detail.text}</p>` : nothing}
      ${problem.requestId
        ? html`<p class="details">${words.requestId}: <code>${problem.requestId}</code></p>`
        : nothing}
      <div class="ways">
        ${kind === "disabled" && this.whole && this.viewer.can("audits:configure")
          ? html`<button class="primary" @click=${() => this.emit("settings")}>${words.switchOn}</button>`
          : nothing}
        ${needsSession ? wayBackControl(this.viewer, { again: kind === "expired" }) : nothing}
        ${maySucceedLater(kind) ? html`<button @click=${this.retry}>${icon("refresh")}${words.retry}</button>` : nothing}
        ${this.countdown.left > 0
          ? html`<span class="quietly">${words.retryIn(formatSeconds(this.countdown.left, this.viewer.language))}</span>`
          : nothing}
      </div>
    </div>`;
  }

  private readonly retry = (): void => {
    this.countdown.stop();
    this.emit("retry");
  };

  private emit(name: "retry" | "settings"): void {
    this.dispatchEvent(new Event(name));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-problem": ProblemNotice;
  }
}
