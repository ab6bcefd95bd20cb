import { html, nothing, type TemplateResult } from "lit";

import { customElement } from "../elements/define.js";
import { formatCount } from "../model/format/summary.js";
import { visible } from "../model/format/text.js";
import { describeChanges } from "../model/structure/describe-changes.js";
import { changesOf } from "../model/structure/draft.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { saveBarStyles } from "./save-bar.styles.js";
import { sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

const SAVED_NOTICE_MS = 6_000; // after this, "Saved." no longer covers the page, and screen readers have read it

/**
 * @summary Shows unsaved changes, with buttons that save and discard them. Always in view.
 *
 * @csspart bar - The bar.
 */
@customElement("auditlane-settings-bar")
export class SaveBar extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, saveBarStyles];

  private dismissTimer = 0;

  protected override render(): TemplateResult | typeof nothing {
    const { draft, justSaved, conflict, busy, language } = this.settings;
    const changes = draft ? changesOf(draft) : [];
    if (!changes.length || conflict || !draft) {
      return justSaved ? html`<div class="bar done" part="bar" tabindex="-1">${icon("check")}<p>${this.text.saved}</p></div>` : nothing;
    }
    const words = this.text.bar;
    const invalid = draft.fields.some((field) => !field.displayName.trim());
    return html`<section class="bar" part="bar" aria-label=${words.label}>
      <details>
        <summary>${words.count(changes.length, formatCount(changes.length, language))}</summary>
        <ul aria-label=${words.show} tabindex="0">
          ${describeChanges(changes, draft.base, this.settings.text).map((line) => html`<li>${visible(line)}</li>`)}
        </ul>
      </details>
      <div class="ways">
        <button id="discard" aria-disabled=${busy} @click=${this.discard}>${words.discard}</button>
        <button id="save" class="primary" ?disabled=${invalid} aria-disabled=${busy} @click=${this.save}>
          ${icon("check")}${busy ? `${words.saving}…` : words.save}
        </button>
      </div>
    </section>`;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.clearTimeout(this.dismissTimer);
    this.dismissTimer = 0;
  }

  protected override updated(): void {
    const { justSaved } = this.settings;
    if (justSaved && !this.dismissTimer) this.dismissTimer = window.setTimeout(() => this.dismiss(), SAVED_NOTICE_MS);
    if (justSaved) return;
    window.clearTimeout(this.dismissTimer);
    this.dismissTimer = 0;
  }

  /** Removes the notice. If it has the focus, the focus moves to the heading without scrolling. */
  private dismiss(): void {
    if (this.renderRoot.querySelector(".done:focus")) this.settings.focusHeading(true);
    this.settings.dismissSaved();
  }

  private readonly save = async (): Promise<void> => {
    if (!(await this.settings.save())) return;
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(".done")?.focus();
  };

  private readonly discard = (): void => {
    if (this.settings.busy) return;
    this.settings.discard();
    this.settings.focusHeading();
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-bar": SaveBar;
  }
}
