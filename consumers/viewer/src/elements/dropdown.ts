import { html, LitElement, nothing, type TemplateResult } from "lit";
import { property, query, state } from "lit/decorators.js";
import { classMap } from "lit/directives/class-map.js";

import { baseStyles } from "../styles/base.js";
import { anchor } from "./anchor.js";
import { customElement } from "./define.js";
import { dropdownStyles } from "./dropdown.styles.js";

/**
 * @summary A button with a panel. Escape or a click elsewhere closes the panel, and the focus returns to the button.
 *
 * @slot button - The content of the button.
 * @slot - The content of the panel.
 * @event opened - The panel is open; its content may be rendered now.
 * @event closed - The panel is closed.
 * @csspart button - The button.
 * @cssproperty --dropdown-height - The button's height.
 */
@customElement("auditlane-dropdown")
export class Dropdown extends LitElement {
  static override styles = [baseStyles, dropdownStyles];

  /** The panel's accessible name. */
  @property() label = "";
  /** The accessible name of the button, if its content is not sufficient. */
  @property() name = "";
  @property({ type: Boolean }) quiet = false;

  @state() private shown = false;
  @query("[popover]") private panel!: HTMLElement;
  @query("button") private button!: HTMLElement;
  private release: (() => void) | null = null;
  private heldFocus = false;

  get open(): boolean {
    return this.shown;
  }

  /** Opens the panel, as a click on the button does. Resolves when it is open and has the focus. */
  async show(): Promise<void> {
    if (this.panel.matches(":popover-open")) return;
    const opened = new Promise((resolve) => this.addEventListener("opened", resolve, { once: true }));
    this.panel.showPopover();
    await opened;
  }

  close(): void {
    if (this.shown) this.panel.hidePopover();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.release?.();
    this.shown = false;
  }

  override focus(options?: FocusOptions): void {
    this.button.focus(options);
  }

  protected override render(): TemplateResult {
    return html`<button
        part="button"
        class=${classMap({ quiet: this.quiet, icon: this.quiet })}
        popovertarget="panel"
        aria-haspopup="dialog"
        aria-expanded=${this.shown}
        aria-label=${this.name || nothing}
        title=${this.quiet ? this.name : nothing}
      >
        <slot name="button"></slot>
      </button>
      <div id="panel" popover role="dialog" aria-label=${this.label} tabindex="-1" @beforetoggle=${this.beforeToggle} @toggle=${this.toggled}>
        <slot></slot>
      </div>`;
  }

  /** Remembers whether the panel has focus: browsers return it only from the panel's own content, not from slotted content. */
  private readonly beforeToggle = (event: ToggleEvent): void => {
    this.heldFocus = event.newState === "closed" && this.holdsFocus();
  };

  /** Whether focus is in the panel or its slotted content. Browsers differ on `:focus-within` for slotted elements. */
  private holdsFocus(): boolean {
    return this.contains((this.getRootNode() as Document | ShadowRoot).activeElement);
  }

  /** Whether no other element has taken focus in the meantime. */
  private focusIsFree(): boolean {
    const { activeElement, body } = document;
    return this.holdsFocus() || !activeElement || activeElement === body;
  }

  private readonly toggled = (event: ToggleEvent): void => {
    this.shown = event.newState === "open";
    this.release?.();
    this.release = this.shown ? anchor(this.panel, this.button) : null;
    if (this.shown) this.panel.focus({ preventScroll: true });
    else if (this.heldFocus && this.focusIsFree()) this.button.focus({ preventScroll: true });
    this.dispatchEvent(new Event(this.shown ? "opened" : "closed"));
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-dropdown": Dropdown;
  }
}
