/** An operator's visit from the console: as whom the log is seen, and the way back. */
import { css, html, nothing, type TemplateResult } from "lit";

import type { ViewerState } from "../viewer-state.js";

export const operatorBannerStyles = css`
  .visit {
    display: flex;
    flex-wrap: wrap;
    gap: 0.25rem 1rem;
    margin: 0;
    padding: 0.3rem 0.75rem;
    border-radius: var(--radius);
    background: var(--ground-3);
  }
  .visit a {
    color: inherit;
  }
`;

export function operatorBanner(viewer: ViewerState): TemplateResult | typeof nothing {
  if (!viewer.session?.from_console) return nothing;
  const { states } = viewer.text;
  return html`<p class="visit" part="visit">
    <span>${states.viewingAs(viewer.tenant)}</span><a href=${viewer.client.url("/console")}>${states.toConsole}</a>
  </p>`;
}
