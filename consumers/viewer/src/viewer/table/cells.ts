/**
 * Renders the value of a field on one line or in full. Values are untrusted text, so they are isolated and have no
 * invisible characters.
 */
import { html, nothing, type TemplateResult } from "lit";

import type { AuditEvent, Outcome, Severity, ShownField } from "../../api/types.js";
import type { Texts } from "../../i18n/en/index.js";
import { type Catalogue, NO_ACTIONS } from "../../model/catalogue.js";
import { SENTENCE } from "../../model/columns.js";
import type { HostOptions } from "../../model/host-options.js";
import { displayAddress } from "../../model/format/address.js";
import { countryOf } from "../../model/format/country.js";
import { initialsOf, splitTail, truncate, visible } from "../../model/format/text.js";
import { type Clock, clockOf } from "../../model/format/time.js";
import { parseUserAgent } from "../../model/format/user-agent.js";
import { formatNumber, isCode, jsonInline, valueOf } from "../../model/format/value.js";
import { ownValue } from "../../model/own-property.js";
import { outcomeBadge, severityBadge } from "./badges.js";

const MAX_LENGTH = 240; // maximum number of characters in a cell, since more never fit on one line
const MAX_TITLE_LENGTH = 1_000;
const TAIL_LENGTH = 11; // number of characters at the end of a long id that are always visible

/** The data that a cell needs besides the event. */
export interface CellContext {
  text: Texts;
  clock: Clock;
  numbers: Intl.NumberFormat;
  actions: Catalogue;
  /** The time from which relative times count, in ms since 1970. */
  now: number;
  /** Whether times in the last week are followed by relative times. */
  relativeTimes: boolean;
  /** Renders cells for the host page. Null or undefined means the viewer's own cells. */
  renderCell?: HostOptions["renderCell"];
}

/** Returns the context for a locale (BCP 47) and a zone (IANA). */
export function cellContext(text: Texts, locale: string, zone: string, actions: Catalogue = NO_ACTIONS, relativeTimes = true): CellContext {
  return {
    text,
    actions,
    clock: clockOf(locale, zone),
    numbers: new Intl.NumberFormat(locale, { maximumFractionDigits: 20 }),
    now: Date.now(),
    relativeTimes,
  };
}

/** The properties of a field that cells need. */
export type CellField = Pick<ShownField, "name" | "displayType" | "custom">;

export type Content = TemplateResult | Node | string | typeof nothing;

/** Renders a value on one line. */
export function renderCell(event: AuditEvent, field: CellField, context: CellContext): Content {
  const value = valueOf(event, field);
  const own = context.renderCell?.(field.name, value, event);
  if (own != null) return own;
  if (field.name === SENTENCE) return renderSentence(event, context.actions);
  if (value === null) return renderMissing(event, field, context);
  const country = !field.custom && field.name === "ip" ? countryOf(event.ip_country, context.clock.language) : null;
  if (country) {
    const address = cellText(displayAddress(value));
    const title = `${address} ${country.flag} ${country.name}`;
    return html`<span title=${title}><bdi class="code">${address}</bdi> <span class="beside">${country.flag} ${country.name}</span></span>`;
  }
  const formatted = renderFormatted(value, field, context);
  if (formatted) return formatted;
  const line = cellText(field.displayType === "Json" ? jsonInline(value.slice(0, 4_000)) : value);
  const whole = line.length >= 24 ? titleText(value) : nothing;
  if (!field.custom && field.name === "resource" && event.resource_id) {
    return html`<span class="pair">
      <bdi title=${whole}>${line}</bdi> ${renderId(event.resource_id)}
    </span>`;
  }
  const label = !field.custom && field.name === "action" ? context.actions.labelOf(value) : undefined;
  if (label) {
    const title = `${cellText(label)} (${titleText(value)})`;
    return html`<span class="pair named" title=${title}><bdi>${cellText(label)}</bdi> <bdi class="beside">${line}</bdi></span>`;
  }
  const start = !field.custom && field.name === "actor_name" ? initials(value) : nothing;
  return html`${start}<bdi class=${isCode(field.displayType, field.name) ? "code" : ""} title=${whole}>${line}</bdi>`;
}

/** Renders the event as a sentence on one line. */
export function renderSentence(event: AuditEvent, actions: Catalogue): TemplateResult {
  const parts = actions.sentenceOf(event);
  const title = titleText(parts.map(({ text }) => text).join(""));
  return html`<span class="sentence" title=${title}>${parts.map(({ text, placeholder }) => (placeholder ? html`<bdi>${visible(text)}</bdi>` : text))}</span>`;
}

/** Renders values that have a format of their own. Returns null for plain text. */
export function renderFormatted(value: string, field: CellField, context: CellContext): TemplateResult | null {
  const { text } = context;
  switch (field.displayType) {
    case "Timestamp":
      return Number.isNaN(Date.parse(value)) ? null : renderTime(value, context);
    case "Severity":
      return Object.hasOwn(text.reading.severity, value) ? severityBadge(value as Severity, text) : null;
    case "Number":
      return html`<bdi class="number">${visible(formatNumber(value, context.numbers))}</bdi>`;
    case "Boolean":
      if (value !== "true" && value !== "false") return null;
      return html`<span>${value === "true" ? text.reading.yes : text.reading.no}</span>`;
    case "IpAddress":
      return html`<bdi class="code">${cellText(displayAddress(value))}</bdi>`;
    default:
  }
  if (!field.custom && field.name === "outcome" && Object.hasOwn(text.reading.outcome, value)) return outcomeBadge(value as Outcome, text);
  if (!field.custom && field.name === "provenance") {
    return html`<bdi>${ownValue<string>(text.reading.provenance, value) ?? cellText(value)}</bdi>`;
  }
  if (!field.custom && field.name === "user_agent") {
    const { program, system } = parseUserAgent(value);
    return html`<bdi title=${titleText(value)}>${cellText(program)}${system ? html`<span class="beside"> ${system}</span>` : nothing}</bdi>`;
  }
  return null;
}

/** Renders the day and time, and how long ago that is. */
function renderTime(value: string, { clock, now, relativeTimes }: CellContext): TemplateResult {
  const ago = relativeTimes ? clock.relativeNarrow(value, now) : "";
  return html`<time datetime=${value} title=${`${clock.exact(value)} (${clock.zone})`}
    >${clock.brief(value, now)}${ago ? html` <span class="beside">${ago}</span>` : nothing}</time
  >`;
}

/* Renders a missing value. If the actor's name is missing, the actor's id is shown. */
function renderMissing(event: AuditEvent, field: CellField, { text }: CellContext): TemplateResult {
  if (!field.custom && field.name === "actor_name" && event.actor_id) {
    return html`${initials(event.actor_id)}<bdi class="code" title=${titleText(event.actor_id)}>${cellText(event.actor_id)}</bdi>`;
  }
  return html`<span class="none"><span aria-hidden="true">–</span><span class="unseen">${text.reading.none}</span></span>`;
}

/* Renders the initials of an actor as decoration, which is neither read out nor copied. */
function initials(actor: string): Content {
  const found = initialsOf(visible(actor));
  return found ? html`<span class="initials" aria-hidden="true" data-initials=${found}></span>` : nothing;
}

/* Truncates a long id in the middle, since ids differ at the ends. */
function renderId(value: string): TemplateResult {
  const line = cellText(value);
  if (line.length <= 2 * TAIL_LENGTH) return html`<bdi class="beside" title=${titleText(value)}>${line}</bdi>`;
  const [start, end] = splitTail(line, TAIL_LENGTH);
  return html`<bdi class="beside parted" title=${titleText(value)}><span class="start">${start}</span><span class="end">${end}</span></bdi>`;
}

function cellText(value: string): string {
  return visible(truncate(value, MAX_LENGTH));
}

function titleText(value: string): string {
  return visible(truncate(value, MAX_TITLE_LENGTH), true);
}
