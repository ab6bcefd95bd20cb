import { html, nothing, type TemplateResult } from "lit";
import { query } from "lit/decorators.js";

import type { Structure } from "../api/structure.js";
import { customElement } from "../elements/define.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import "./confirm-dialog.js";
import type { ConfirmDialog } from "./confirm-dialog.js";
import { sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";
import { switchCardStyles } from "./switch-card.styles.js";

/**
 * @summary Turns viewing of the log on and off.
 *
 * @csspart switch - The card.
 */
@customElement("auditlane-settings-switch")
export class SwitchCard extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, switchCardStyles];

  @query("auditlane-settings-confirm") private confirm!: ConfirmDialog;

  protected override render(): TemplateResult | typeof nothing {
    const structure = this.settings.loaded?.structure;
    if (!structure) return nothing;
    const words = this.text.switch;
    const on = structure.effectiveEnabled;
    return html`<section class="card" part="switch" aria-labelledby="title">
        <div class="top">
          <div>
            <h3 id="title" class="unseen">${words.title}</h3>
            <p class="state ${on ? "" : "off"}">${icon(on ? "check" : "off")}${on ? words.on : words.off}</p>
          </div>
          ${this.settings.canConfigure ? this.renderButtons(structure) : nothing}
        </div>
        <p>${on ? words.onLead : words.offLead}</p>
        <p class="quietly small">${this.describeOrigin(structure)}</p>
      </section>
      <auditlane-settings-confirm></auditlane-settings-confirm>`;
  }

  private describeOrigin({ tenant, enabled }: Structure): string {
    const words = this.text.switch;
    if (enabled === null) return tenant === null ? words.builtIn : words.inherits;
    return tenant === null ? words.ownAll : words.own;
  }

  private renderButtons({ tenant, enabled, effectiveEnabled: on, inheritedEnabled }: Structure): TemplateResult {
    const words = this.text.switch;
    const { busy } = this.settings;
    const follow = tenant === null ? words.unset : words.follow(inheritedEnabled);
    return html`<div class="ways">
      ${enabled === null
        ? nothing
        : html`<button class="quiet" aria-disabled=${busy} @click=${() => this.switchTo(null, inheritedEnabled)}>${icon("undo")}${follow}</button>`}
      <button id="turn" class=${on ? "" : "primary"} aria-disabled=${busy} @click=${() => this.switchTo(!on, !on)}>
        ${icon("off")}${on ? words.turnOff : words.turnOn}
      </button>
    </div>`;
  }

  private async switchTo(enabled: boolean | null, effective: boolean): Promise<void> {
    const words = this.text.switch;
    const lead = this.settings.tenant === null ? words.confirmLeadAll : words.confirmLead;
    const goesOff = !effective && this.settings.loaded?.structure.effectiveEnabled;
    const sure = !goesOff || (await this.confirm.ask({ title: words.confirmTitle, lines: [lead, words.confirmNote], confirm: words.confirm }));
    if (!sure || !(await this.settings.switchTo(enabled))) return;
    await this.updateComplete;
    if (!this.shadowRoot?.activeElement) this.renderRoot.querySelector<HTMLElement>("#turn")?.focus();
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-switch": SwitchCard;
  }
}
