/** `<auditlane-problem>`: what went wrong, in words that help, and the way on. */
import { html, nothing, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";

import type { Problem } from "../../api/problem.js";
import { base } from "../../styles/base.js";
import { Part } from "../part.js";

/** Property `problem`; its event `retry` asks for another try. Any part may show one in its own place. */
@customElement("auditlane-problem")
export class ProblemNotice extends Part {
  static override styles = [base];

  @property({ attribute: false }) problem: Problem | null = null;

  protected override render(): TemplateResult | typeof nothing {
    if (!this.problem) return nothing;
    return html`<div role="alert">
      <p>${this.problem.detail} ${this.problem.fix}</p>
      <button @click=${() => this.dispatchEvent(new Event("retry"))}>${this.text.states.retry}</button>
    </div>`;
  }
}
