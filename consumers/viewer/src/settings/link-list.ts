import { html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import { customElement } from "../elements/define.js";
import { visible } from "../model/format/text.js";
import { MAX_LINKS } from "../model/link-form.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { actionListStyles } from "./action-list.styles.js";
import "./confirm-dialog.js";
import type { ConfirmDialog } from "./confirm-dialog.js";
import { sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

/**
 * @summary The links from the resources of events to the host's own pages.
 *
 * @csspart links - The card.
 */
@customElement("auditlane-settings-links")
export class LinkList extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, actionListStyles];

  /** The type whose form is open. "" for a new link, null while the form is closed. */
  @state() private editedType: string | null = null;
  @query("auditlane-settings-confirm") private confirm!: ConfirmDialog;

  protected override render(): TemplateResult {
    const words = this.text.links;
    const { canConfigure, tenant } = this.settings;
    const { own, inherited } = this.settings.links();
    const types = Object.keys(own).sort();
    const overridden = tenant !== null && inherited !== null && !sameLinks(own, inherited);
    return html`<section class="card" part="links" aria-labelledby="title">
        <div class="top">
          <div>
            <h3 id="title">${words.title}</h3>
            <p class="quietly">${words.lead}</p>
            ${tenant !== null && types.length ? html`<p class="quietly small">${overridden ? words.ownLinks : words.inherited}</p>` : nothing}
          </div>
          ${canConfigure
            ? html`<div class="ways">
                ${overridden ? html`<button id="reset" @click=${() => this.reset()}>${words.reset}</button>` : nothing}
                ${types.length < MAX_LINKS ? html`<button id="add" @click=${() => this.openForm("")}>${icon("plus")}${words.add}</button>` : nothing}
              </div>`
            : nothing}
        </div>
        ${types.length
          ? html`<ul aria-label=${words.title}>
              ${repeat(types, (type) => type, (type) => this.renderLink(type, own[type] as string))}
            </ul>`
          : html`<p class="none">${words.none}</p>`}
      </section>
      <auditlane-settings-confirm></auditlane-settings-confirm>
      ${this.editedType === null
        ? nothing
        : html`<auditlane-settings-link-form .type=${this.editedType} @closed=${this.onFormClosed}></auditlane-settings-link-form>`}`;
  }

  private renderLink(type: string, address: string): TemplateResult {
    const words = this.text.links;
    const shown = visible(type);
    const button = (which: string, title: string, sign: TemplateResult, action: () => void): TemplateResult =>
      html`<button class="quiet icon ${which}" aria-label=${title} title=${title} @click=${action}>${sign}</button>`;
    return html`<li data-type=${type}>
      <div class="name">
        <span class="label">${shown}</span>
        <span class="sub quietly"><code>${visible(address)}</code></span>
      </div>
      ${this.settings.canConfigure
        ? html`<div class="actions">
            ${button("edit", words.edit(shown), icon("pencil"), () => void this.openForm(type))}
            ${button("remove", words.remove(shown), icon("trash"), () => void this.removeLink(type, shown))}
          </div>`
        : nothing}
    </li>`;
  }

  private async removeLink(type: string, shown: string): Promise<void> {
    const words = this.text.links;
    if (!(await this.confirm.ask({ title: words.confirmTitle(shown), lines: [words.confirmLead], confirm: words.confirm }))) return;
    const without = (links: Readonly<Record<string, string>>): Record<string, string> =>
      Object.fromEntries(Object.entries(links).filter(([name]) => name !== type));
    if (await this.settings.replaceLinks(without, words.removed(shown))) await this.focusOn("#add");
  }

  private async reset(): Promise<void> {
    const { inherited } = this.settings.links();
    if (await this.settings.replaceLinks(() => inherited ?? {}, this.text.links.wasReset)) await this.focusOn("#add");
  }

  private async openForm(type: string): Promise<void> {
    if (await this.settings.lazyImports.load(() => import("./link-form.js"))) this.editedType = type;
  }

  private readonly onFormClosed = async (): Promise<void> => {
    const type = this.editedType;
    this.editedType = null;
    await this.focusOn(type ? `li[data-type="${CSS.escape(type)}"] .edit` : "#add");
  };

  private async focusOn(selector: string): Promise<void> {
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>(selector)?.focus();
  }
}

function sameLinks(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const sorted = (links: Readonly<Record<string, string>>): string => JSON.stringify(Object.entries(links).sort());
  return sorted(one) === sorted(other);
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-links": LinkList;
  }
}
