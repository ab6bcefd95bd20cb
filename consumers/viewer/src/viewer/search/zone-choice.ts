import { html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";

import { customElement } from "../../elements/define.js";
import { findZone, localZone } from "../../model/zone.js";
import { baseStyles } from "../../styles/base.js";
import { ViewerElement } from "../viewer-element.js";
import { zoneChoiceStyles } from "./zone-choice.styles.js";

const UTC = "UTC";

/** @summary Lets the user choose the zone in which times are shown: the browser's, UTC, or any other by its name. */
@customElement("auditlane-zone")
export class ZoneChoice extends ViewerElement {
  static override styles = [baseStyles, zoneChoiceStyles];

  /** Whether another zone is being chosen while one of the first two is still in use. */
  @state() private other = false;
  /** A text that is not a zone. */
  @state() private unknown = "";
  @query("input[list]") private input!: HTMLInputElement;

  private readonly zones = Intl.supportedValuesOf("timeZone");

  protected override render(): TemplateResult {
    const { range } = this.text.search;
    const { chosenZone } = this.viewer;
    const local = localZone();
    const isOther = this.other || (chosenZone !== "" && chosenZone !== UTC);
    const shown = isOther ? "other" : chosenZone === UTC || local === UTC ? UTC : "";
    const radio = (value: string, label: string, choose: () => void): TemplateResult => html`<label
      ><input type="radio" name="zone" .checked=${live(shown === value)} @change=${choose} />${label}</label
    >`;
    return html`<fieldset>
      <legend>${range.zone}</legend>
      ${local === UTC ? nothing : radio("", range.local(local), () => this.choose(""))} ${radio(UTC, range.utc, () => this.choose(UTC))}
      ${radio("other", range.otherZone, this.startOther)}
      <input
        list="zones"
        aria-label=${range.zoneName}
        aria-describedby=${this.unknown ? "unknown" : nothing}
        aria-invalid=${this.unknown !== ""}
        placeholder="Asia/Tokyo"
        autocomplete="off"
        spellcheck="false"
        ?hidden=${!isOther}
        .value=${live(this.unknown || (chosenZone === UTC ? "" : chosenZone))}
        @change=${this.onInput}
      />
      <datalist id="zones">${isOther ? this.zones.map((zone) => html`<option value=${zone}></option>`) : nothing}</datalist>
      ${this.unknown ? html`<p class="wrong" id="unknown" role="alert">${range.unknownZone(this.unknown)}</p>` : nothing}
    </fieldset>`;
  }

  private choose(zone: string): void {
    this.other = false;
    this.unknown = "";
    this.viewer.setZone(zone);
  }

  private readonly startOther = (): void => {
    this.other = true;
    void this.updateComplete.then(() => this.input.focus());
  };

  private readonly onInput = (): void => {
    const typed = this.input.value.trim();
    const zone = typed ? findZone(typed, this.zones) : this.viewer.chosenZone;
    if (zone === null) this.unknown = typed;
    else this.choose(zone);
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-zone": ZoneChoice;
  }
}
