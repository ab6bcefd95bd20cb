import { html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";

import type { CatalogueAction } from "../api/actions.js";
import { customElement } from "../elements/define.js";
import { visible } from "../model/format/text.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { actionListStyles } from "./action-list.styles.js";
import "./confirm-dialog.js";
import type { ConfirmDialog } from "./confirm-dialog.js";
import { problemNote } from "./problem-note.js";
import { noteStyles, sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

/**
 * @summary The labels of actions: the environment's own, and the built-in ones.
 *
 * @csspart actions - The card.
 */
@customElement("auditlane-settings-actions")
export class ActionList extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, noteStyles, actionListStyles];

  /** The action whose form is open. "" for a new one, null while the form is closed. */
  @state() private editedAction: string | null = null;
  @query("auditlane-settings-confirm") private confirm!: ConfirmDialog;

  private namesBefore: ReadonlySet<string> = new Set(); // names of the environment's own actions when the form was opened

  protected override render(): TemplateResult {
    const words = this.text.actions;
    const { catalogue, catalogueProblem, canConfigure, text } = this.settings;
    return html`<section class="card" part="actions" aria-labelledby="title">
        <div class="top">
          <div>
            <h3 id="title">${words.title}</h3>
            <p class="quietly">${words.lead}</p>
          </div>
          ${canConfigure && catalogue
            ? html`<button id="add" class="primary" @click=${() => this.openForm("")}>${icon("plus")}${words.add}</button>`
            : nothing}
        </div>
        ${catalogueProblem ? problemNote(catalogueProblem, text, () => void this.settings.readCatalogue()) : nothing}
        ${catalogue ? this.renderLists(catalogue.actions) : nothing}
      </section>
      <auditlane-settings-confirm></auditlane-settings-confirm>
      ${this.editedAction === null
        ? nothing
        : html`<auditlane-settings-action-form .action=${this.editedAction} @closed=${this.onFormClosed}></auditlane-settings-action-form>`}`;
  }

  private renderLists(actions: readonly CatalogueAction[]): TemplateResult {
    const words = this.text.actions;
    const own = actions.filter((action) => action.own);
    const list = (label: string, shown: readonly CatalogueAction[]): TemplateResult =>
      html`<ul aria-label=${label}>
        ${repeat(shown, ({ name }) => name, (action) => this.renderAction(action))}
      </ul>`;
    return html`
      ${own.length ? list(words.label, own) : html`<p class="none">${words.none}</p>`}
      <details>
        <summary>${words.builtIn}</summary>
        ${list(words.builtIn, actions.filter((action) => !action.own))}
      </details>
    `;
  }

  private renderAction({ name, label, own, builtIn }: CatalogueAction): TemplateResult {
    const words = this.text.actions;
    const { language, canConfigure } = this.settings;
    const shown = visible(label[language]);
    const button = (which: string, title: string, sign: TemplateResult, action: () => void): TemplateResult =>
      html`<button class="quiet icon ${which}" aria-label=${title} title=${title} @click=${action}>${sign}</button>`;
    return html`<li data-name=${name}>
      <div class="name">
        <span class="label">${shown}</span>
        <span class="sub quietly">
          <code>${visible(name)}</code>
          ${language === "en" ? html`<span lang="de">${visible(label.de)}</span>` : html`<span lang="en">${visible(label.en)}</span>`}
          ${own && builtIn ? html`<span>${words.replaces}</span>` : nothing}
        </span>
      </div>
      ${canConfigure
        ? html`<div class="actions">
            ${button("edit", words.edit(shown), icon("pencil"), () => void this.openForm(name))}
            ${own ? button("remove", words.remove(shown), icon("trash"), () => void this.removeLabels(name, shown, builtIn)) : nothing}
          </div>`
        : nothing}
    </li>`;
  }

  private async removeLabels(name: string, label: string, builtIn: boolean): Promise<void> {
    const words = this.text.actions;
    const lines = [builtIn ? words.confirmBuiltIn : words.confirmName];
    if (!(await this.confirm.ask({ title: words.confirmTitle(label), lines, confirm: words.confirm }))) return;
    if (await this.settings.forgetAction(name, label)) this.renderRoot.querySelector<HTMLElement>("#add")?.focus();
  }

  private async openForm(name: string): Promise<void> {
    if (!(await this.settings.lazyImports.load(() => import("./action-form.js")))) return;
    this.namesBefore = new Set(this.ownNames);
    this.editedAction = name;
  }

  private readonly onFormClosed = async (): Promise<void> => {
    const name = this.editedAction || this.ownNames.find((one) => !this.namesBefore.has(one));
    this.editedAction = null;
    await this.updateComplete;
    const row = name ? this.renderRoot.querySelector<HTMLElement>(`li[data-name="${CSS.escape(name)}"] .edit`) : null;
    (row ?? this.renderRoot.querySelector<HTMLElement>("#add"))?.focus();
  };

  private get ownNames(): string[] {
    return (this.settings.catalogue?.actions ?? []).filter((action) => action.own).map(({ name }) => name);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-actions": ActionList;
  }
}
