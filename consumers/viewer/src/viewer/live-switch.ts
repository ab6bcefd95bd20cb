import { html, type TemplateResult } from "lit";

import { customElement } from "../elements/define.js";
import { DEFAULT_SORT } from "../model/view.js";
import { baseStyles } from "../styles/base.js";
import type { LiveStream } from "./live-stream.js";
import { liveSwitchStyles } from "./live-switch.styles.js";
import { ViewerElement } from "./viewer-element.js";

/**
 * @summary Switches the live stream on and off, and shows the state of its connection.
 *
 * @csspart button - The switch; also `live`.
 */
@customElement("auditlane-live")
export class LiveSwitch extends ViewerElement {
  static override styles = [baseStyles, liveSwitchStyles];

  private stream: LiveStream | null = null;
  private unsubscribe: (() => void) | null = null;
  private readonly onStatus = (): void => this.requestUpdate();

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.close();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) this.requestUpdate();
  }

  protected override render(): TemplateResult {
    this.subscribeTo(this.viewer.liveStream);
    const { live } = this.text.reading;
    const status = this.stream?.status ?? "off";
    const label = status === "off" ? live.on : live[status];
    return html`<button
        part="button live"
        role="switch"
        class=${status}
        aria-checked=${this.viewer.view.live}
        title=${label}
        @click=${this.toggle}
      >
        <span class="track" aria-hidden="true"></span>${live.label}
      </button>
      <span class="unseen" role="status">${status === "off" ? "" : live[status]}</span>`;
  }

  private readonly toggle = (): void => {
    const live = !this.viewer.view.live;
    this.viewer.setView(live ? { live, sort: DEFAULT_SORT } : { live }); // arriving events have a position only in a list sorted by time
  };

  private subscribeTo(stream: LiveStream): void {
    if (stream === this.stream) return;
    this.close();
    this.stream = stream;
    this.unsubscribe = stream.subscribe();
    stream.addEventListener("status", this.onStatus);
  }

  private close(): void {
    this.stream?.removeEventListener("status", this.onStatus);
    this.unsubscribe?.();
    this.stream = null;
    this.unsubscribe = null;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-live": LiveSwitch;
  }
}
