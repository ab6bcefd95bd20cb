import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, query, state } from "lit/decorators.js";

import type { Problem } from "../../api/problem.js";
import type { AuditEvent, ShownField } from "../../api/types.js";
import { copyText } from "../../elements/copy.js";
import { customElement } from "../../elements/define.js";
import { metadataColumn } from "../../model/columns.js";
import { explorationsOf } from "../../model/explore.js";
import { displayAddress, networkOf } from "../../model/format/address.js";
import { countryOf } from "../../model/format/country.js";
import { initialsOf, visible } from "../../model/format/text.js";
import { clockOf } from "../../model/format/time.js";
import { isCode, metadataLabel, valueOf } from "../../model/format/value.js";
import { fieldsWith, wordsOf } from "../../model/hits.js";
import { formatTerm, withTerm } from "../../model/query.js";
import { resourceLink } from "../../model/resource-link.js";
import { isAttempt } from "../../model/sentence.js";
import { curlFor, jsonOf, linkTo } from "../../model/share.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { fieldLabel, localeOf } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import { conflictBadge, outcomeBadge, severityBadge } from "./badges.js";
import { badgesStyles } from "./badges.styles.js";
import { cellContext, renderFormatted } from "./cells.js";
import { detailsStyles } from "./details.styles.js";
import { HitMarker, hitStyles } from "./hit-marker.js";

const SEPARATE_FIELDS = new Set(["before", "after", "metadata"]); // shown in sections of their own
const SCROLL_FROM = 1_000; // values of at least this length scroll within their line
const COPIED_MS = 3_000;

/**
 * @summary Shows one event in full, with buttons that copy it or filter by its values.
 *
 * @event close - Close the details.
 * @event retry - Load the event again.
 * @event {CustomEvent<number>} step - Open the previous (-1) or the next (1) event.
 */
@customElement("auditlane-details")
export class Details extends ViewerElement {
  static override styles = [baseStyles, badgesStyles, detailsStyles, hitStyles];

  /** The event, or null while it is loading. */
  @property({ attribute: false }) event: AuditEvent | null = null;
  @property({ attribute: false }) problem: Problem | null = null;
  @property({ attribute: false }) above = false;
  @property({ attribute: false }) below = false;

  @state() private raw = false;
  @state() private announcement = "";
  /** The item that was copied last. Its button shows a check mark for `COPIED_MS`. */
  @state() private copied = "";
  @state() private copyFailed = false;
  @query("section") private section!: HTMLElement;

  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    new HitMarker(this, () => wordsOf(this.viewer.view.query));
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    super.willUpdate(changed);
    if (changed.has("event")) this.resetCopied();
  }

  override focus(options?: FocusOptions): void {
    void this.updateComplete.then(() => this.section.focus(options));
  }

  protected override render(): TemplateResult {
    const { details } = this.text.reading;
    return html`<section tabindex="-1" aria-label=${details.label} @keydown=${this.onKeydown}>
      <header>
        <button class="quiet icon" aria-label=${details.newer} title=${details.newer} ?disabled=${!this.above} @click=${() => this.step(-1)}>
          ${icon("fold")}
        </button>
        <button class="quiet icon" aria-label=${details.older} title=${details.older} ?disabled=${!this.below} @click=${() => this.step(1)}>
          ${icon("unfold")}
        </button>
        <span class="ways">${this.event ? this.renderCopyButtons(this.event) : nothing}</span>
        <button class="quiet icon" aria-label=${details.close} title=${details.close} @click=${() => this.emit("close")}>${icon("close")}</button>
      </header>
      <p class=${this.copyFailed ? "refused" : "unseen"} role="status">${this.announcement}</p>
      <div class="all" tabindex="0" role="group" aria-label=${details.about}>${this.content()}</div>
    </section>`;
  }

  private content(): TemplateResult {
    const { details } = this.text.reading;
    if (this.problem) {
      return html`<auditlane-problem .problem=${this.problem} @retry=${() => this.emit("retry")}></auditlane-problem>`;
    }
    if (!this.event) return html`<p class="quietly" role="status">${details.loading}</p>`;
    const { event } = this;
    const clock = clockOf(localeOf(this.viewer), this.viewer.zone);
    const metadata = Object.entries(event.metadata);
    const fields = this.viewer.fields.filter((field) => field.showInMoreInfo && (field.custom || !SEPARATE_FIELDS.has(field.name)));
    const shows = (name: string): boolean => this.viewer.fields.some((field) => field.name === name && field.showInMoreInfo);
    const link = resourceLink(event, this.viewer.fields);
    const initials = initialsOf(visible(event.actor_name || event.actor_id));
    const actionLabel = this.viewer.actions.labelOf(event.action);
    const apart = shows("provenance") ? "provenance_id" : ""; // shown on the line for `provenance`
    return html`
      <h3 class="title">${this.viewer.host.renderHeading?.(event) ?? html`${initials ? html`<span class="initials" aria-hidden="true">${initials}</span>` : nothing}${this.renderSentence(event)}`}</h3>
      ${event.description && shows("description") ? html`<p class="description"><bdi>${visible(event.description, true)}</bdi></p>` : nothing}
      <p class="short">
        <time datetime=${event.occurred_at}>${clock.exact(event.occurred_at)}</time>
        ${actionLabel ? html` · <bdi>${actionLabel}</bdi>` : nothing} · <bdi class="code">${visible(event.action)}</bdi>
      </p>
      ${this.renderHits(event)}
      ${link ? html`<p class="short"><a href=${link} target="_blank" rel="noopener noreferrer">${details.open}</a></p>` : nothing}
      <div class="explore" role="group" aria-label=${details.explore.label}>
        ${explorationsOf(event).map(
          ([kind, view]) => html`<button class="quiet" @click=${() => this.viewer.setView(view)}>${details.explore[kind]}</button>`,
        )}
      </div>
      <p class="marks">${outcomeBadge(event.outcome, this.text)} ${severityBadge(event.severity, this.text)}</p>
      ${event.conflict ? this.renderConflict(event) : nothing}
      ${(event.before !== null && shows("before")) || (event.after !== null && shows("after")) ? this.renderChanges(event) : nothing}
      <dl>${fields.map((field) => (field.name === apart ? nothing : this.renderField(event, field)))}</dl>
      ${metadata.length && shows("metadata")
        ? html`<h4>${details.metadata}</h4>
            <dl>${metadata.map(([key, value]) => this.renderMetadata(event, key, value))}</dl>`
        : nothing}
      <details @toggle=${(toggled: Event) => (this.raw = (toggled.currentTarget as HTMLDetailsElement).open)}>
        <summary>${details.raw}</summary>
        ${this.raw ? html`<pre tabindex="0" aria-label=${details.raw}><bdi>${visible(jsonOf(event), true)}</bdi></pre>` : nothing}
      </details>
    `;
  }

  /** Lists the fields in which the words of the search occur. */
  private renderHits(event: AuditEvent): TemplateResult[] {
    return wordsOf(this.viewer.view.query).flatMap((word) => {
      const fields = fieldsWith(event, word).map((parameter) => visible(fieldLabel(this.viewer, parameter)));
      return fields.length ? [html`<p class="short">${this.text.reading.details.found(visible(word), fields.join(", "))}</p>`] : [];
    });
  }

  private renderMetadata(event: AuditEvent, key: string, value: string): TemplateResult {
    return this.renderLine(visible(metadataLabel(key, event)), `metadata.${key}`, value, this.renderText(value, true), metadataColumn(key));
  }

  private renderSentence(event: AuditEvent): TemplateResult[] {
    return this.viewer.actions
      .sentenceOf(event)
      .map(({ text, placeholder }) => (placeholder ? html`<bdi>${visible(text)}</bdi>` : html`<span class="words">${text}</span>`));
  }

  private renderConflict(event: AuditEvent): TemplateResult {
    const { explanation, show } = this.text.reading.conflict;
    const all = (): void => this.viewer.setView({ query: formatTerm("event_id", event.event_id, false) });
    return html`<p class="conflicting" role="note">${conflictBadge(this.text)} ${explanation} <button class="quiet" @click=${all}>${show}</button></p>`;
  }

  private renderChanges(event: AuditEvent): TemplateResult {
    void this.viewer.lazyImports.load(() => import("./changes.js"));
    const { details, outcome } = this.text.reading;
    const attempt = isAttempt(event);
    return html`<h4>${attempt ? details.attemptedChange : details.changes}</h4>
      ${attempt ? html`<p class="quietly">${details.notApplied(outcome[event.outcome])}</p>` : nothing}
      <auditlane-changes .was=${event.before} .is=${event.after}></auditlane-changes>`;
  }

  private renderField(event: AuditEvent, field: ShownField): TemplateResult | typeof nothing {
    const value = valueOf(event, field);
    if (value === null && field.custom) return nothing;
    if (!field.custom && field.name === "provenance") return this.renderProvenance(event, field);
    if (value === null && field.name === "actor_name" && event.actor_id) {
      // as in the table, the id replaces a missing name
      return this.renderLine(field.displayName, field.filterable ? "actor_id" : "", event.actor_id, this.renderText(event.actor_id, true), field.name);
    }
    const shown = value === null ? html`<span class="quietly">${this.text.reading.none}</span>` : this.renderValue(event, field, value);
    const time = field.displayType === "Timestamp";
    return this.renderLine(field.displayName, time || !field.filterable ? "" : field.parameter, value, shown, field.name);
  }

  /** Renders how and from whom the event was received. */
  private renderProvenance(event: AuditEvent, field: ShownField): TemplateResult {
    const words = this.text.reading.received[event.provenance](visible(event.provenance_id));
    return this.renderLine(field.displayName, field.filterable ? "provenance_id" : "", event.provenance_id, html`<bdi>${words}</bdi>`, field.name);
  }

  private renderValue(event: AuditEvent, field: ShownField, value: string): TemplateResult {
    const { viewer } = this;
    const clock = clockOf(localeOf(viewer), viewer.zone);
    if (field.displayType === "Timestamp" && !Number.isNaN(Date.parse(value))) {
      const exact = clock.exact(value);
      const ago = clock.relative(value, Date.now());
      const title = this.text.reading.details.time(viewer.zone);
      const relative = ago ? html` <span class="quietly">${ago}</span>` : nothing;
      const raw = html`<div class="quietly code">${visible(value)}</div>`;
      return html`<time datetime=${value} title=${title}>${exact}</time>${relative}${raw}`; // whitespace would be visible
    }
    if (field.displayType === "IpAddress") {
      const network = this.text.reading.network[networkOf(value)];
      const country = !field.custom && field.name === "ip" ? countryOf(event.ip_country, localeOf(viewer)) : null;
      const place = country ? html`<span>${country.flag} ${country.name}</span>` : nothing;
      return html`<bdi class="code">${visible(displayAddress(value))}</bdi> ${place} ${network ? html`<span class="quietly">${network}</span>` : nothing}`;
    }
    const label = !field.custom && field.name === "action" ? viewer.actions.labelOf(value) : undefined;
    if (label) return html`<bdi>${label}</bdi><div class="quietly code"><bdi>${visible(value)}</bdi></div>`;
    const formatted = renderFormatted(value, field, cellContext(this.text, localeOf(viewer), viewer.zone));
    if (!field.custom && field.name === "user_agent") return html`${formatted}<div class="quietly"><bdi>${visible(value)}</bdi></div>`;
    return formatted ?? this.renderText(value, isCode(field.displayType, field.name));
  }

  private renderText(value: string, code: boolean): TemplateResult {
    return html`<bdi class=${code ? "code" : ""}>${visible(value, true)}</bdi>`;
  }

  /** Renders a name, a value and its buttons. There are no filter buttons without a parameter. `column` is the name of the column. */
  private renderLine(name: string, parameter: string, value: string | null, shown: TemplateResult, column: string): TemplateResult {
    const { details } = this.text.reading;
    const valueText = value === null ? details.lacking : visible(value.slice(0, 80));
    const filter = (negated: boolean) => (): void =>
      void this.viewer.changeSearch((query) => ({ query: withTerm(query, formatTerm(parameter, value, negated)) }));
    const button = (label: string, sign: TemplateResult, action: () => void): TemplateResult =>
      html`<button class="quiet icon" aria-label=${label} title=${label} @click=${action}>${sign}</button>`;
    return html`<div class="line">
      <dt><bdi>${name}</bdi></dt>
      <dd>
        ${value !== null && value.length > SCROLL_FROM
          ? html`<div class="value long" tabindex="0" role="group" aria-label=${name}>${shown}</div>`
          : html`<div class="value">${shown}</div>`}
        <span class="acts">
          ${parameter && (value === null || value.length <= 512)
            ? html`${button(details.filterFor(name, valueText), icon("plus"), filter(false))}
              ${button(details.filterOut(name, valueText), icon("minus"), filter(true))}`
            : nothing}
          ${this.viewer.columnNames.includes(column) ? nothing : button(details.addColumn(name), icon("columns"), () => this.addColumn(column, name))}
          ${value === null ? nothing : button(details.copyValue(name), icon(this.copied === name ? "check" : "copy"), () => this.copy(value, name))}
        </span>
      </dd>
    </div>`;
  }

  private addColumn(column: string, name: string): void {
    this.resetCopied();
    this.viewer.setPreferences({ columns: [...this.viewer.columnNames, column] });
    this.announcement = this.text.reading.details.columnAdded(name);
    this.focus(); // the pressed button disappears
  }

  private renderCopyButtons(event: AuditEvent): TemplateResult {
    const { details } = this.text.reading;
    const { client, usesAddress } = this.viewer;
    const make = (label: string, what: string, text: () => string): TemplateResult =>
      html`<button class="quiet" @click=${() => this.copy(text(), what)}>
        ${this.copied === what ? html`${icon("check")}${this.text.states.first.copied}` : label}
      </button>`;
    return html`${usesAddress ? make(details.copyLink, details.link, () => linkTo(event, location)) : nothing}
    ${make(details.copyJson, details.json, () => jsonOf(event))}
    ${make(details.copyCurl, details.curl, () => curlFor(event, client.service, client.tenant))}`;
  }

  private async copy(text: string, what: string): Promise<void> {
    const { details } = this.text.reading;
    this.resetCopied();
    await this.updateComplete;
    const copied = await copyText(text, this.renderRoot);
    this.announcement = copied ? details.copied(what) : details.notCopied;
    this.copied = copied ? what : "";
    this.copyFailed = !copied;
    if (copied) this.timer = setTimeout(() => this.resetCopied(), COPIED_MS);
  }

  private resetCopied(): void {
    clearTimeout(this.timer);
    this.announcement = "";
    this.copied = "";
    this.copyFailed = false;
  }

  private readonly onKeydown = (event: KeyboardEvent): void => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Escape") this.emit("close");
    else if (by && event.target === this.section) this.step(by); // elsewhere, the arrow keys scroll
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  private step(by: number): void {
    this.dispatchEvent(new CustomEvent("step", { detail: by }));
  }

  private emit(name: string): void {
    this.dispatchEvent(new Event(name));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-details": Details;
  }
}
