import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";

import { Problem } from "../../api/problem.js";
import { customElement } from "../../elements/define.js";
import { snippets } from "../../model/snippets.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { loadTabs, webAwesomeTokens } from "../../styles/web-awesome.js";
import { ViewerElement } from "../viewer-element.js";
import { firstUseStyles } from "./first-use.styles.js";
import { sendTestEvent } from "./test-event.js";

type Step = "idle" | "sending" | "waiting" | "arrived" | "late";

/**
 * @summary Explains how to send the first event, and sends a test event.
 *
 * @event hide - The user closed the instructions.
 */
@customElement("auditlane-first-use")
export class FirstUse extends ViewerElement {
  static override styles = [webAwesomeTokens, baseStyles, firstUseStyles];

  @state() private step: Step = "idle";
  @state() private problem: Problem | null = null;
  @state() private copied = "";
  @state() private tabsLoaded = false;

  private arrived = "";
  private disconnected = new AbortController();

  override connectedCallback(): void {
    super.connectedCallback();
    this.disconnected = new AbortController();
    void this.viewer.lazyImports.load(loadTabs).then((loaded) => (this.tabsLoaded = loaded !== null));
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.disconnected.abort();
  }

  protected override render(): TemplateResult {
    const words = this.text.states.first;
    return html`<section class="box" aria-labelledby="title">
      <div class="top">
        <h3 id="title">${words.title}</h3>
        <button class="quiet icon" aria-label=${words.hide} @click=${() => this.dispatchEvent(new Event("hide"))}>
          ${icon("close")}
        </button>
      </div>
      <p>${words.lead(this.viewer.tenant)}</p>
      ${this.tabsLoaded ? this.renderSnippets() : nothing}
      <p class="quietly">${words.credential}</p>
      ${this.renderTest()}
    </section>`;
  }

  private renderSnippets(): TemplateResult {
    const words = this.text.states.first;
    const found = snippets(this.viewer.tenant, this.viewer.client.service);
    return html`<wa-tab-group aria-label=${words.ways}>
      ${found.map(({ id, name }) => html`<wa-tab panel=${id}>${name}</wa-tab>`)}
      ${found.map(
        ({ id, name, code }) => html`<wa-tab-panel name=${id}>
          <div class="code">
            <pre tabindex="0" role="region" aria-label=${name}><code>${code}</code></pre>
            <button @click=${() => this.copy(id, code)}>
              ${icon(this.copied === id ? "check" : "copy")}${this.copied === id ? words.copied : words.copy}
            </button>
          </div>
        </wa-tab-panel>`,
      )}
    </wa-tab-group>`;
  }

  private renderTest(): TemplateResult {
    const words = this.text.states.first;
    const busy = this.step === "sending" || this.step === "waiting";
    const statusTexts = { idle: "", sending: words.sending, waiting: words.waiting, arrived: words.arrived, late: words.late };
    return html`<div class="test">
        <button class="primary" aria-disabled=${busy} @click=${this.send}>${icon("send")}${words.test}</button>
        <span role="status">${statusTexts[this.step]}${busy ? "…" : ""}</span>
        ${this.step === "arrived"
          ? html`<button @click=${() => this.viewer.setView({ open: this.arrived })}>${words.show}</button>`
          : nothing}
      </div>
      ${this.problem ? html`<auditlane-problem .problem=${this.problem} @retry=${this.send}></auditlane-problem>` : nothing}`;
  }

  private readonly send = async (): Promise<void> => {
    if (this.step === "sending" || this.step === "waiting") return;
    this.step = "sending";
    this.problem = null;
    try {
      const { id, stored } = await sendTestEvent(this.viewer.client, () => (this.step = "waiting"), this.disconnected.signal);
      this.arrived = id;
      this.step = stored ? "arrived" : "late";
      if (stored) this.viewer.refresh();
    } catch (cause) {
      const problem = Problem.from(cause);
      this.step = "idle";
      if (!problem.aborted) this.problem = problem;
    }
  };

  private async copy(id: string, code: string): Promise<void> {
    await navigator.clipboard.writeText(code).then(
      () => (this.copied = id),
      () => {}, // the frame may lack the permission, but the text can still be selected
    );
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-first-use": FirstUse;
  }
}
