/** A placeholder that looks like the log, shown until the first responses arrive. */
import { html, type TemplateResult } from "lit";

export function skeleton(): TemplateResult {
  const rows = Array.from({ length: 14 }, () => html`<div class="row"></div>`);
  return html`<div class="skeleton" aria-hidden="true" part="skeleton">
    <div class="title"></div>
    <div class="tiles"></div>
    <div class="search"></div>
    <div class="histogram"></div>
    ${rows}
  </div>`;
}
