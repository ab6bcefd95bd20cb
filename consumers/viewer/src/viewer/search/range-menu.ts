/** `<auditlane-range>`: which time is looked at, and in whose zone times are told. */
import { css, html, nothing, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";

import { wholeDaysOf, type Preset, PRESETS, type Range, ALL_TIME } from "../../model/range.js";
import { localZone } from "../../model/zone.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { ViewerElement } from "../viewer-element.js";
import "../../elements/dropdown.js";
import type { Dropdown } from "../../elements/dropdown.js";
import { localeOf } from "../describe.js";

@customElement("auditlane-range")
export class RangeMenu extends ViewerElement {
  static override styles = [
    baseStyles,
    css`
      :host {
        display: inline-block;
      }
      .zone {
        color: var(--ink-2);
        font-size: 0.86em;
      }
      .panel {
        display: flex;
        flex-wrap: wrap;
        gap: 1rem;
        max-width: 48rem;
      }
      .presets {
        display: flex;
        flex: 0 0 10rem;
        flex-direction: column;
        gap: 2px;
      }
      .presets button {
        justify-content: start;
      }
      .presets button[aria-pressed="true"] {
        background: var(--accent-ground);
        font-weight: 600;
      }
      .custom {
        flex: 1 1 20rem;
        min-width: 0;
      }
      fieldset {
        display: flex;
        flex: 1 1 100%;
        flex-wrap: wrap;
        gap: 0.2rem 1rem;
        margin: 0;
        padding: 0.6rem 0 0;
        border: 0;
        border-top: 1px solid var(--line);
      }
      legend {
        float: left;
        padding: 0;
        line-height: 1.6rem;
      }
      fieldset label {
        display: inline-flex;
        align-items: center;
        gap: 0.4rem;
        min-height: 1.6rem;
        cursor: pointer;
      }
      fieldset input {
        min-height: 0;
        margin: 0;
        accent-color: var(--accent);
      }
    `,
  ];

  @state() private open = false;
  @query("auditlane-drop") private dropdown!: Dropdown;

  protected override render(): TemplateResult {
    const { range } = this.text.search;
    const label = describeRange(this.viewer.view.range, this.viewer, this.text.search.range);
    return html`<auditlane-drop
      label=${range.title}
      @opened=${this.onOpened}
      @closed=${() => (this.open = false)}
    >
      <span slot="button">${icon("clock")}<span class="unseen">${range.label}</span></span>
      <span slot="button">${label}</span>
      <span slot="button" class="zone">${this.viewer.zone}</span>
      ${this.open ? this.panel() : nothing}
    </auditlane-drop>`;
  }

  private panel(): TemplateResult {
    const { viewer } = this;
    const { range } = this.text.search;
    const present = viewer.view.range;
    const local = localZone();
    return html`<div class="panel">
      <div class="presets" role="group" aria-label=${range.title}>
        ${PRESETS.map((preset) => this.choice({ kind: "preset", preset }, range.presets[preset], present))}
        ${this.choice(ALL_TIME, range.ever, present)}
      </div>
      <auditlane-range-form class="custom" @done=${() => this.dropdown.close()}></auditlane-range-form>
      ${local === "UTC"
        ? nothing
        : html`<fieldset @change=${(event: Event) => viewer.setPreferences({ utc: (event.target as HTMLInputElement).value === "utc" })}>
            <legend>${range.zone}</legend>
            <label><input type="radio" name="zone" value="local" .checked=${!viewer.preferences.utc} />${range.local(local)}</label>
            <label><input type="radio" name="zone" value="utc" .checked=${viewer.preferences.utc} />${range.utc}</label>
          </fieldset>`}
    </div>`;
  }

  private choice(range: Range, words: string, present: Range): TemplateResult {
    const same = JSON.stringify(range) === JSON.stringify(present);
    return html`<button class="quiet" aria-pressed=${same} @click=${() => this.setRange(range)}>${words}</button>`;
  }

  private setRange(range: Range): void {
    this.viewer.setView({ range });
    this.dropdown.close();
  }

  private readonly onOpened = async (): Promise<void> => {
    this.open = true;
    await this.viewer.lazyImports.load(() => import("./range-form.js"));
  };
}

/** A range in few words: a preset's name, days, or moments of the zone. */
export function describeRange(
  range: Range,
  viewer: RangeMenu["viewer"],
  words: { presets: Record<Preset, string>; ever: string; since: (at: string) => string; until: (at: string) => string },
): string {
  if (range.kind === "preset") return words.presets[range.preset];
  if (range.kind === "ever") return words.ever;
  const zone = viewer.zone;
  const days = wholeDaysOf(range, zone);
  if (days) {
    const format = new Intl.DateTimeFormat(localeOf(viewer), { dateStyle: "medium", timeZone: "UTC" });
    return format.formatRange(Date.parse(days[0]), Date.parse(days[1]));
  }
  const format = new Intl.DateTimeFormat(localeOf(viewer), { dateStyle: "medium", timeStyle: "short", timeZone: zone });
  if (!range.from) return words.until(format.format(Date.parse(range.to)));
  if (!range.to) return words.since(format.format(Date.parse(range.from)));
  return format.formatRange(Date.parse(range.from), Date.parse(range.to));
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-range": RangeMenu;
  }
}
