/** Describes a problem with the settings as a whole, or with one change. */
import { html, nothing, type TemplateResult } from "lit";

import type { Problem } from "../api/problem.js";
import type { SettingsTexts } from "../i18n/settings.js";
import { kindOf, maySucceedLater } from "../model/problem-kind.js";
import { icon } from "../styles/icons.js";

/** Renders the note. A button to retry is offered if the same request may succeed later. */
export function problemNote(problem: Problem, text: SettingsTexts, retry: (() => void) | null, title = ""): TemplateResult {
  const kind = kindOf(problem);
  const texts = text.states.problems[kind];
  const detail = kind === "offline" ? "" : `${problem.detail} ${problem.fix}`.trim();
  return html`<div class="note" part="problem">
    ${icon(kind === "offline" ? "offline" : kind === "forbidden" ? "lock" : "warning")}
    <div>
      <div role="alert">
        <p class="head">${title || texts.title}</p>
        <p>${title ? texts.title : texts.advice}</p>
      </div>
      ${detail ? html`<p class="quietly small" lang="en">${detail}</p>` : nothing}
      ${problem.requestId
        ? html`<p class="quietly small">${text.states.requestId}: <code>${problem.requestId}</code></p>`
        : nothing}
      ${retry && maySucceedLater(kind)
        ? html`<div class="ways"><button @click=${retry}>${icon("refresh")}${text.states.retry}</button></div>`
        : nothing}
    </div>
  </div>`;
}
