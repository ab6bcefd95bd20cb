/** `<auditlane-notices>`: what concerns the whole viewer while it goes on: no connection, a session that ended, first use. */
import { css, html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";

import { late } from "../../late.js";
import { base } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { notice } from "../../styles/notice.js";
import type { Log } from "../log.js";
import { Part } from "../part.js";

@customElement("auditlane-notices")
export class Notices extends Part {
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

  private asked: Log | null = null;

  protected override render(): TemplateResult {
    const { log } = this;
    const first = log.unused === true && !this.put && this.ready;
    this.toggleAttribute("idle", !log.ended && !log.offline && !first);
    return html`
      <div role="status">${this.notice()}</div>
      ${first ? html`<auditlane-first-use part="first-use" @hide=${() => (this.put = true)}></auditlane-first-use>` : nothing}
    `;
  }

  protected override updated(): void {
    if (this.asked === this.log || this.log.phase !== "ready") return;
    this.asked = this.log;
    // Once a viewer, when there is nothing better to do.
    const { log } = this;
    setTimeout(() => this.isConnected && void this.learn(log), 300);
  }

  private notice(): TemplateResult | typeof nothing {
    const { states } = this.text;
    if (this.log.ended) {
      return html`<div class="notice" part="notice">
        ${icon("lock")}
        <p>${states.endedNotice}</p>
        <button @click=${() => this.log.refresh()}>${icon("refresh")}${states.retry}</button>
      </div>`;
    }
    if (this.log.offline) {
      return html`<div class="notice" part="notice">${icon("offline")}<p>${this.log.unreachable ? states.unreachableNotice : states.offlineNotice}</p></div>`;
    }
    return nothing;
  }

  private async learn(log: Log): Promise<void> {
    const unused = await log.lookForUse().catch(() => false);
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
