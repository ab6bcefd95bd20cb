/** Badges for severity, outcome and conflicts. Each has a shape and a word, and the colour is only an addition. */
import { html, svg, type TemplateResult } from "lit";

import type { Outcome, Severity } from "../../api/types.js";
import type { Texts } from "../../i18n/en/index.js";

/** Shapes that become more striking as the severity rises: ring, chevron, diamond, triangle, filled triangle, filled octagon. */
const SEVERITY: Record<Severity, TemplateResult> = {
  Info: svg`<circle cx="8" cy="8" r="5.25"></circle><path d="M8 7.5v3M8 5.2v.1"></path>`,
  Low: svg`<path d="M3.5 6l4.5 5 4.5-5"></path>`,
  Medium: svg`<path d="M8 2.5L13.5 8 8 13.5 2.5 8z"></path>`,
  High: svg`<path d="M8 2.5l6 11H2zM8 6.5v3.2M8 11.6v.1"></path>`,
  Critical: svg`<path class="full" d="M8 2l6.5 12h-13z"></path><path class="on" d="M8 6.5v3.2M8 11.7v.1"></path>`,
  Error: svg`<path class="full" d="M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3z"></path><path class="on" d="M5.7 5.7l4.6 4.6M10.3 5.7l-4.6 4.6"></path>`,
};

const OUTCOME: Record<Outcome, TemplateResult> = {
  success: svg`<path d="M3 8.5l3.2 3.2L13 5"></path>`,
  failure: svg`<path d="M4 4l8 8M12 4l-8 8"></path>`,
  denied: svg`<circle cx="8" cy="8" r="5.5"></circle><path d="M4.2 4.2l7.6 7.6"></path>`,
  unknown: svg`<path d="M5.8 6a2.2 2.2 0 1 1 3.1 2c-.6.3-.9.7-.9 1.4M8 12v.1"></path>`,
};

export function severityBadge(severity: Severity, text: Texts): TemplateResult {
  return badge(`s-${severity}`, SEVERITY[severity], text.reading.severity[severity] ?? severity);
}

export function outcomeBadge(outcome: Outcome, text: Texts): TemplateResult {
  return badge(`o-${outcome}`, OUTCOME[outcome], text.reading.outcome[outcome] ?? outcome);
}

const CONFLICT = svg`<path d="M5.5 3.5v6M5.5 12v.1M10.5 3.5v6M10.5 12v.1"></path>`;

/** Renders the icon for a row in conflict. Its text is a tooltip that screen readers read out. */
export function conflictIcon(text: Texts): TemplateResult {
  const { sign, explanation } = text.reading.conflict;
  return html`<span class="mark conflict" title=${explanation}><svg aria-hidden="true" viewBox="0 0 16 16">${CONFLICT}</svg><span class="unseen">${sign}</span></span> `;
}

/** Renders the icon with visible text. */
export function conflictBadge(text: Texts): TemplateResult {
  return badge("conflict", CONFLICT, text.reading.conflict.sign);
}

function badge(name: string, shape: TemplateResult | undefined, word: string): TemplateResult {
  return html`<span class="mark ${name}"><svg aria-hidden="true" viewBox="0 0 16 16">${shape}</svg>${word}</span>`;
}
