import { html, nothing, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";

import { controlForKey } from "../../elements/arrow-keys.js";
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

  /** Opens the menu. */
  show(): void {
    void this.dropdown.show();
  }

  protected override render(): TemplateResult {
    const { range } = this.text.search;
    const label = describeRange(this.viewer.view.range, this.viewer, this.text.search.range);
    return html`<auditlane-dropdown
      label=${range.title}
      @opened=${this.onOpened}
      @closed=${() => (this.open = false)}
    >
      <span slot="button">${icon("clock")}<span class="unseen">${range.label}</span></span>
      <span slot="button" class="label">${label}</span>
      <span slot="button" class="zone">${this.viewer.zone}</span>
      ${this.open ? this.panel() : nothing}
    </auditlane-dropdown>`;
  }

  private panel(): TemplateResult {
    const { viewer } = this;
    const { range } = this.text.search;
    const present = viewer.view.range;
    const today = localTimeOf(viewer.asOf, viewer.zone).day;
    const choices: [Range, string][] = [
      [dayRange(today, viewer.zone), range.today],
      [dayRange(addDays(today, -1), viewer.zone), range.yesterday],
      ...PRESETS.map((preset): [Range, string] => [{ kind: "preset", preset }, range.presets[preset]]),
      [ALL_TIME, range.ever],
    ];
    const chosen = choices.findIndex(([choice]) => JSON.stringify(choice) === JSON.stringify(present));
    return html`<div class="panel">
      <div class="presets" role="toolbar" aria-orientation="vertical" aria-label=${range.presetsLabel} @keydown=${this.onKeydown}>
        ${choices.map(
          ([choice, words], index) => html`<button
            class="quiet"
            aria-pressed=${index === chosen}
            tabindex=${index === Math.max(0, chosen) ? 0 : -1}
            @click=${() => this.setRange(choice)}
          >
            ${words}
          </button>`,
        )}
      </div>
      <auditlane-range-form class="custom" @done=${() => this.dropdown.close()}></auditlane-range-form>
      <auditlane-zone></auditlane-zone>
    </div>`;
  }

  /** Moves the focus among the presets, which are a single tab stop. */
  private readonly onKeydown = (event: KeyboardEvent): void => {
    const buttons = [...(event.currentTarget as HTMLElement).querySelectorAll("button")];
    controlForKey(event, buttons, { previous: "ArrowUp", next: "ArrowDown" })?.focus();
  };

  private setRange(range: Range): void {
    void this.viewer.changeSearch(() => ({ range }));
    this.dropdown.close();
  }

  private readonly onOpened = async (): Promise<void> => {
    this.open = true;
    await this.updateComplete;
    const chosen = this.renderRoot.querySelector<HTMLElement>('[aria-pressed="true"]');
    chosen?.focus({ preventScroll: true });
    const loaded = await this.viewer.lazyImports.load(() => import("./range-form.js"));
    if (chosen || !loaded || !this.dropdown.open) return;
    await this.renderRoot.querySelector("auditlane-range-form")?.focusDay();
  };
}

/** Describes a range briefly, as the name of a preset, as days, or as times in the zone. */
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
