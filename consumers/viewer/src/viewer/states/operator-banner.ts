/** The banner for an operator who views a tenant's log from the console, with a link back. */
import { html, nothing, type TemplateResult } from "lit";

import type { ViewerState } from "../viewer-state.js";

export function operatorBanner(viewer: ViewerState): TemplateResult | typeof nothing {
  if (!viewer.session?.from_console) return nothing;
  const { states } = viewer.text;
  return html`<p class="visit" part="visit">
    <span>${states.viewingAs(viewer.tenant)}</span><a href=${viewer.client.url("/console")}>${states.toConsole}</a>
  </p>`;
}
