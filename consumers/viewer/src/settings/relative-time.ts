/** Shows how long ago something was, with the exact time as a tooltip. */
import { html, type TemplateResult } from "lit";

import { clockOf } from "../model/format/time.js";
import { localZone } from "../model/zone.js";

export function relativeTime(at: string, language: string): TemplateResult {
  return html`<time datetime=${at} title=${clock(language).exact(at)}>${formatRelative(at, language)}</time>`;
}

export function formatRelative(at: string, language: string): string {
  return clock(language).relative(at, Date.now()) || clock(language).exact(at);
}

function clock(language: string): ReturnType<typeof clockOf> {
  return clockOf(language, localZone());
}
