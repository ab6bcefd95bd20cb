/** `<auditlane-live>`: the switch for following what arrives, and how that goes. */
import { css, html, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import { DEFAULT_SORT } from "../model/view.js";
import { base } from "../styles/base.js";
import { type Tail, tailOf } from "./live-stream.js";
import { Part } from "./viewer-element.js";

@customElement("auditlane-live")
export class LiveSwitch extends Part {
  static override styles = [
    base,
    css`
      .track {
        position: relative;
        width: 1.9em;
        height: 1.1em;
        border: 1px solid var(--edge);
        border-radius: 1em;
        background: var(--ground-3);
      }
      .track::after {
        position: absolute;
        inset-block: 1px;
        inset-inline-start: 1px;
        aspect-ratio: 1;
        border-radius: 50%;
        background: var(--ink-2);
        content: "";
        transition: translate 120ms;
      }
      [aria-checked="true"] .track {
        border-color: var(--accent);
        background: var(--accent);
      }
      [aria-checked="true"] .track::after {
        background: var(--on-accent);
        translate: 0.8em 0;
      }
      .waiting .track,
      .failed .track {
        border-style: dashed;
      }
    `,
  ];

  private tail: Tail | null = null;
  private unuse: (() => void) | null = null;
  private readonly told = (): void => this.requestUpdate();

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.leave();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) this.requestUpdate();
  }

  protected override render(): TemplateResult {
    this.follow(tailOf(this.log));
    const { live } = this.text.reading;
    const status = this.tail?.status ?? "off";
    const said = status === "off" ? live.on : live[status];
    return html`<button
        part="button live"
        role="switch"
        class=${status}
        aria-checked=${this.log.view.live}
        title=${said}
        @click=${this.toggle}
      >
        <span class="track" aria-hidden="true"></span>${live.label}
      </button>
      <span class="unseen" role="status">${status === "off" ? "" : live[status]}</span>`;
  }

  private readonly toggle = (): void => {
    const live = !this.log.view.live;
    this.log.look(live ? { live, sort: DEFAULT_SORT } : { live }); // what arrives has its place in a list by time only
  };

  private follow(tail: Tail): void {
    if (tail === this.tail) return;
    this.leave();
    this.tail = tail;
    this.unuse = tail.use();
    tail.addEventListener("status", this.told);
  }

  private leave(): void {
    this.tail?.removeEventListener("status", this.told);
    this.unuse?.();
    this.tail = this.unuse = null;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-live": LiveSwitch;
  }
}
