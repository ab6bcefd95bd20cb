import { css, html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";

import "../../elements/dropdown.js";
import type { Dropdown } from "../../elements/dropdown.js";
import { customElement } from "../../elements/define.js";
import { baseStyles } from "../../styles/base.js";
import { visuallyHidden } from "../../styles/fragments.js";
import { icon } from "../../styles/icons.js";
import { fieldLabel } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";

/** @summary Opens the choice of the field by which events are grouped, and of a comparison with the preceding period. */
@customElement("auditlane-group-button")
export class GroupButton extends ViewerElement {
  static override styles = [
    baseStyles,
    css`
      :host {
        --dropdown-height: 1.85em;
      }
      @container (max-width: 40rem) {
        .label {
          ${visuallyHidden}
        }
      }
    `,
  ];

  @state() private open = false;
  @query("auditlane-dropdown") private dropdown!: Dropdown;

  protected override render(): TemplateResult {
    const { groups } = this.text;
    const { group } = this.viewer.view;
    return html`<auditlane-dropdown label=${groups.open} @opened=${this.onOpened} @closed=${() => (this.open = false)}>
      <span slot="button">${icon("bars")}</span
      ><span slot="button" class="label">${group ? groups.by(fieldLabel(this.viewer, group)) : groups.open}</span>
      ${this.open ? html`<auditlane-group-menu @done=${() => this.dropdown.close()}></auditlane-group-menu>` : nothing}
    </auditlane-dropdown>`;
  }

  private readonly onOpened = (): void => {
    this.open = true;
    void this.viewer.lazyImports.load(() => import("./group-menu.js"));
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-group-button": GroupButton;
  }
}
