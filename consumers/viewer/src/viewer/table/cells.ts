/** A field's value as people read it, in one line or in full. All of it is somebody else's text: isolated, nothing unseen. */
import { html, nothing, type TemplateResult } from "lit";

import type { AuditEvent, Outcome, Severity, ShownField } from "../../api/types.js";
import type { Texts } from "../../i18n/en/index.js";
import { displayAddress } from "../../model/format/address.js";
import { parseUserAgent } from "../../model/format/agent.js";
import { splitTail, truncate, visible } from "../../model/format/text.js";
import { ownValue } from "../../model/own-property.js";
import { type Clock, clockOf } from "../../model/format/time.js";
import { jsonInline, isCode, formatNumber, valueOf } from "../../model/format/value.js";

import { outcomeMark, severityMark } from "./badges.js";

const LONGEST = 240; // signs of a cell; more are never seen in a line
const LONGEST_TITLE = 1_000;
const TAIL = 11; // signs of a long id's end that are always seen

/** What cells need beside the event. */
export interface Reading {
  text: Texts;
  clock: Clock;
  numbers: Intl.NumberFormat;
  /** Ms since 1970 that "ago" counts from. */
  now: number;
}

/** In a locale (BCP 47) and a zone (IANA). */
export function readingIn(text: Texts, locale: string, zone: string): Reading {
  return {
    text,
    clock: clockOf(locale, zone),
    numbers: new Intl.NumberFormat(locale, { maximumFractionDigits: 20 }),
    now: Date.now(),
  };
}

/** What cells need of a field. */
export type Shape = Pick<ShownField, "name" | "displayType" | "custom">;

export type Content = TemplateResult | string | typeof nothing;

/** In one line. */
export function cell(event: AuditEvent, field: Shape, reading: Reading): Content {
  const value = valueOf(event, field);
  if (value === null) return missing(event, field, reading);
  const told = special(value, field, reading);
  if (told) return told;
  const line = shown(field.displayType === "Json" ? jsonInline(value.slice(0, 4_000)) : value);
  const whole = line.length >= 24 ? titled(value) : nothing;
  if (!field.custom && field.name === "resource" && event.resource_id) {
    return html`<span class="pair">
      <bdi title=${whole}>${line}</bdi> ${id(event.resource_id)}
    </span>`;
  }
  return html`<bdi class=${isCode(field.displayType, field.name) ? "code" : ""} title=${whole}>${line}</bdi>`;
}

/** With shape, agent and clock; null for text that says it all. */
export function special(value: string, field: Shape, reading: Reading): TemplateResult | null {
  const { text, clock } = reading;
  switch (field.displayType) {
    case "Timestamp":
      if (Number.isNaN(Date.parse(value))) return null;
      return html`<time datetime=${value}><span class="ago">${clock.relative(value, reading.now)}</span><span class="exact">${clock.exact(value)}</span></time>`;
    case "Severity":
      return Object.hasOwn(text.reading.severity, value) ? severityMark(value as Severity, text) : null;
    case "Number":
      return html`<bdi class="number">${visible(formatNumber(value, reading.numbers))}</bdi>`;
    case "Boolean":
      if (value !== "true" && value !== "false") return null;
      return html`<span>${value === "true" ? text.reading.yes : text.reading.no}</span>`;
    case "IpAddress":
      return html`<bdi class="code">${shown(displayAddress(value))}</bdi>`;
    default:
  }
  if (!field.custom && field.name === "outcome" && Object.hasOwn(text.reading.outcome, value)) return outcomeMark(value as Outcome, text);
  if (!field.custom && field.name === "provenance") {
    return html`<bdi>${ownValue<string>(text.reading.provenance, value) ?? shown(value)}</bdi>`;
  }
  if (!field.custom && field.name === "user_agent") {
    const { program, system } = parseUserAgent(value);
    return html`<bdi title=${titled(value)}>${shown(program)}${system ? html`<span class="beside"> ${system}</span>` : nothing}</bdi>`;
  }
  return null;
}

/** Nobody's name, but somebody's id, is better than nothing. */
function missing(event: AuditEvent, field: Shape, { text }: Reading): TemplateResult {
  if (!field.custom && field.name === "actor_name" && event.actor_id) {
    return html`<bdi class="code" title=${titled(event.actor_id)}>${shown(event.actor_id)}</bdi>`;
  }
  return html`<span class="none"><span aria-hidden="true">–</span><span class="unseen">${text.reading.none}</span></span>`;
}

/** Long ids differ at their ends: what has no room is left out of the middle. */
function id(value: string): TemplateResult {
  const line = shown(value);
  if (line.length <= 2 * TAIL) return html`<bdi class="beside" title=${titled(value)}>${line}</bdi>`;
  const [start, end] = splitTail(line, TAIL);
  return html`<bdi class="beside parted" title=${titled(value)}><span class="start">${start}</span><span class="end">${end}</span></bdi>`;
}

function shown(value: string): string {
  return visible(truncate(value, LONGEST));
}

function titled(value: string): string {
  return visible(truncate(value, LONGEST_TITLE), true);
}
