/** Renders help for a reader without a valid session: signing in, or reloading the page. */
import { html, nothing, type TemplateResult } from "lit";

import { wayBack, type WayBack } from "../../model/way-back.js";
import { icon } from "../../styles/icons.js";
import type { ViewerState } from "../viewer-state.js";

export function wayBackFor(viewer: ViewerState): WayBack {
  const page = { href: location.href, framed: window.parent !== window };
  return wayBack(viewer.signInUrl, viewer.client.token !== "", page);
}

/** `again` means that the reader had a session before. */
export function wayBackControl(viewer: ViewerState, { again }: { again: boolean }): TemplateResult | typeof nothing {
  const { states } = viewer.text;
  const way = wayBackFor(viewer);
  if (way.kind === "signIn") {
    return html`<a class="button primary" href=${way.href} target=${way.top ? "_top" : nothing}>${again ? states.signInAgain : states.signIn}</a>`;
  }
  if (way.kind === "reload") return html`<button @click=${() => location.reload()}>${icon("refresh")}${states.reload}</button>`;
  return nothing;
}
