import { html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";

import { customElement } from "../../elements/define.js";
import "../../elements/dropdown.js";
import type { Dropdown } from "../../elements/dropdown.js";
import { ALL_TIME, dayRange, type Preset, PRESETS, type Range, wholeDaysOf } from "../../model/range.js";
import { addDays, localTimeOf } from "../../model/zone.js";
import { baseStyles } from "../../styles/base.js";
import { icon } from "../../styles/icons.js";
import { localeOf } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import { rangeMenuStyles } from "./range-menu.styles.js";

/** @summary Lets the user choose the time range, and the zone in which times are shown. */
@customElement("auditlane-range")
export class RangeMenu extends ViewerElement {
  static override styles = [baseStyles, rangeMenuStyles];

  @state() private open = false;
  @query("auditlane-dropdown") private dropdown!: Dropdown;

  protected override render(): TemplateResult {
    const { range } = this.text.search;
    const label = describeRange(this.viewer.view.range, this.viewer, this.text.search.range);
    return html`<auditlane-dropdown
      label=${range.title}
      @opened=${this.onOpened}
      @closed=${() => (this.open = false)}
    >
      <span slot="button">${icon("clock")}<span class="unseen">${range.label}</span></span>
      <span slot="button">${label}</span>
      <span slot="button" class="zone">${this.viewer.zone}</span>
      ${this.open ? this.panel() : nothing}
    </auditlane-dropdown>`;
  }

  private panel(): TemplateResult {
    const { viewer } = this;
    const { range } = this.text.search;
    const present = viewer.view.range;
    const today = localTimeOf(viewer.asOf, viewer.zone).day;
    const day = (name: string, words: string): TemplateResult => this.choice(dayRange(name, viewer.zone), words, present);
    return html`<div class="panel">
      <div class="presets" role="group" aria-label=${range.title}>
        ${day(today, range.today)} ${day(addDays(today, -1), range.yesterday)}
        ${PRESETS.map((preset) => this.choice({ kind: "preset", preset }, range.presets[preset], present))}
        ${this.choice(ALL_TIME, range.ever, present)}
      </div>
      <auditlane-range-form class="custom" @done=${() => this.dropdown.close()}></auditlane-range-form>
      <auditlane-zone></auditlane-zone>
    </div>`;
  }

  private choice(range: Range, words: string, present: Range): TemplateResult {
    const same = JSON.stringify(range) === JSON.stringify(present);
    return html`<button class="quiet" aria-pressed=${same} @click=${() => this.setRange(range)}>${words}</button>`;
  }

  private setRange(range: Range): void {
    void this.viewer.changeSearch(() => ({ range }));
    this.dropdown.close();
  }

  private readonly onOpened = async (): Promise<void> => {
    this.open = true;
    await this.viewer.lazyImports.load(() => import("./range-form.js"));
  };
}

/** Describes a range briefly: a preset's name, days, or times in the zone. */
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
