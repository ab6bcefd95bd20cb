/** Renders the choice of a time zone for the times in a file. */
import { html, type TemplateResult } from "lit";

import type { Texts } from "../../i18n/en/index.js";
import { localZone } from "../../model/zone.js";

/** Offers the page's zone, the browser's zone and UTC first. `zone` is the current choice. */
export function renderZoneForm(text: Texts, zone: string, pageZone: string, onChange: (zone: string) => void): TemplateResult {
  const first = [...new Set([pageZone, localZone(), "UTC"])];
  const others = Intl.supportedValuesOf("timeZone").filter((name) => !first.includes(name));
  const option = (name: string): TemplateResult => html`<option value=${name} ?selected=${name === zone}>${name}</option>`;
  return html`<label class="radio">
    ${text.search.range.zone}
    <select @change=${(event: Event) => onChange((event.target as HTMLSelectElement).value)}>
      ${first.map(option)}
      <optgroup label=${text.search.range.otherZone}>${others.map(option)}</optgroup>
    </select>
  </label>`;
}
