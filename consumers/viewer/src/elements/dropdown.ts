/** `<auditlane-drop>`: a button, and what drops from it: closed by Escape or a click elsewhere, focus goes back. */
import { html, LitElement, nothing, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { classMap } from "lit/directives/class-map.js";

import { baseStyles } from "../styles/base.js";
import { anchor } from "./anchored.js";
import { dropdownStyles } from "./dropdown.styles.js";

/**
 * Property `label` names the panel, and the button where `name` does not. The slot `button` is what the button shows, the
 * default one is the panel. Events: `opened` (the panel may be filled only now), `closed`.
 */
@customElement("auditlane-drop")
export class Dropdown extends LitElement {
  static override styles = [baseStyles, dropdownStyles];

  @property() label = "";
  /** The button's name where what it shows does not say it. */
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

  /** Browsers return the focus only from the panel's own content, not from what is in its slot. */
  private readonly beforeToggle = (event: ToggleEvent): void => {
    this.heldFocus = event.newState === "closed" && this.holdsFocus();
  };

  /** Whether the focus is in the panel or its slot. Browsers differ on `:focus-within` for slotted elements. */
  private holdsFocus(): boolean {
    return this.contains((this.getRootNode() as Document | ShadowRoot).activeElement);
  }

  /** Nothing else has taken the focus meanwhile. */
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
    "auditlane-drop": Dropdown;
  }
}
