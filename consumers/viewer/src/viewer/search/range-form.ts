import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";

import type { EventPage } from "../../api/types.js";
import { customElement } from "../../elements/define.js";
import { RequestController } from "../../elements/request-controller.js";
import { EXCLUDE_OWN_EVENTS, withTerm } from "../../model/query.js";
import { inputFromRange, rangeFromInput, type RangeInput, type RangeInputError } from "../../model/range.js";
import { localTimeOf } from "../../model/zone.js";
import { baseStyles } from "../../styles/base.js";
import { localeOf } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import { withQuery } from "./narrowing.js";
import { rangeFormStyles } from "./range-form.styles.js";
import "./zone-choice.js";

// The page may already have defined the calendar, and an element can be defined only once.
if (!customElements.get("calendar-range")) await import("cally");

/**
 * @summary Lets the user choose a time range in the displayed zone. Days are typed or chosen in a calendar, and times
 * are typed.
 *
 * @event done - A range was chosen.
 */
@customElement("auditlane-range-form")
export class RangeForm extends ViewerElement {
  static override styles = [baseStyles, rangeFormStyles];

  @state() private input: RangeInput = { fromDay: "", fromTime: "", toDay: "", toTime: "" };
  @state() private error: RangeInputError | null = null;
  /** Whether the inputs differ from the shown range. */
  @state() private edited = false;
  /** The day that was just chosen and can be extended by a second day, or "". */
  @state() private firstDay = "";
  /** The day that has the calendar's focus and determines the month shown. "" for the month of the range. */
  @state() private calendarDay = "";
  private shownRange = "";
  /** The newest matching event. If the range is all time, the calendar shows its month. */
  private readonly newest = new RequestController<EventPage>(this);

  protected override willUpdate(): void {
    const { viewer } = this;
    if (viewer.view.range.kind === "ever") {
      const params = [...withQuery(viewer.filter(), withTerm(viewer.view.query, EXCLUDE_OWN_EVENTS)), ["limit", "1"]] as const;
      this.newest.request(JSON.stringify([params, viewer.refreshCount]), (signal) => viewer.client.json<EventPage>("/v1/events", { params, signal }));
    } else this.newest.reset();
    const rangeKey = JSON.stringify([viewer.view.range, viewer.zone]);
    if (rangeKey === this.shownRange) return;
    this.shownRange = rangeKey;
    this.edited = false;
    this.calendarDay = "";
    this.input = inputFromRange(viewer.view.range, viewer.zone, viewer.asOf);
  }

  /** Focuses the selected day in the calendar. */
  async focusDay(): Promise<void> {
    await this.updateComplete;
    const calendar = this.renderRoot.querySelector<HTMLElement & { updated?: Promise<void> }>("calendar-range");
    await calendar?.updated;
    calendar?.focus({ target: "day", preventScroll: true } as FocusOptions);
  }

  protected override render(): TemplateResult {
    const { range } = this.text.search;
    const { fromDay, toDay } = this.input;
    const locale = localeOf(this.viewer);
    const today = localTimeOf(this.viewer.asOf, this.viewer.zone).day;
    const focused = toDay || fromDay || this.newestDay;
    return html`<form aria-label=${range.custom} novalidate @submit=${this.onSubmit}>
      <calendar-range
        .value=${fromDay && toDay ? `${fromDay}/${toDay}` : ""}
        .focusedDate=${focused || undefined}
        .today=${today}
        .locale=${locale}
        .firstDayOfWeek=${firstDayOfWeek(locale)}
        @rangestart=${this.onDayChosen}
        @focusday=${(event: CustomEvent<Date>) => (this.calendarDay = event.detail.toISOString().slice(0, 10))}
        @change=${this.onCalendarChange}
      >
        <strong slot="heading" aria-hidden="true">${formatMonth(this.calendarDay || focused || today, locale)}</strong>
        <span slot="previous" aria-label=${range.previous} role="img">‹</span>
        <span slot="next" aria-label=${range.next} role="img">›</span>
        <calendar-month></calendar-month>
      </calendar-range>
      <div class="ends">
        ${this.renderEnd(range.from, "from")} ${this.renderEnd(range.to, "to")}
        ${this.error
          ? html`<p class="wrong" role="alert" id="wrong">${this.error === "empty" ? range.needed : range[this.error]}</p>`
          : nothing}
        <p class="told" role="status">${this.firstDay ? range.oneDay(formatDay(this.firstDay, locale)) : ""}</p>
        <button class="primary">${this.edited ? range.apply : this.text.search.done}</button>
      </div>
    </form>`;
  }

  private get newestDay(): string {
    const event = this.newest.result?.data[0];
    return event ? localTimeOf(Date.parse(event.occurred_at), this.viewer.zone).day : "";
  }

  private renderEnd(name: string, side: "from" | "to"): TemplateResult {
    const { range } = this.text.search;
    const [day, time] = [`${side}Day`, `${side}Time`] as const;
    return html`<fieldset @input=${this.onInput}>
      <legend>${name}</legend>
      <input
        type="date"
        name=${day}
        aria-label=${range.day}
        aria-describedby=${this.error ? "wrong" : nothing}
        .value=${this.input[day]}
      />
      <input type="time" step="1" name=${time} aria-label=${range.time} .value=${this.input[time]} />
      ${side === "to" && this.input.toDay && !this.input.toTime ? html`<span class="hint quietly">${range.wholeDay}</span>` : nothing}
    </fieldset>`;
  }

  private readonly onInput = (event: Event): void => {
    const { name, value } = event.target as HTMLInputElement;
    this.input = { ...this.input, [name]: value };
    this.error = null;
    this.edited = true;
    this.firstDay = "";
  };

  private readonly onCalendarChange = (event: Event): void => {
    const [fromDay = "", toDay = ""] = (event.target as HTMLElement & { value: string }).value.split("/");
    this.firstDay = "";
    this.apply({ fromDay, fromTime: "", toDay, toTime: "" });
  };

  /** Shows a day as soon as it is chosen. The calendar then waits for a second day, which extends it to a range. */
  private readonly onDayChosen = (event: Event): void => {
    const day = (event as CustomEvent<Date>).detail.toISOString().slice(0, 10);
    if (this.apply({ fromDay: day, fromTime: "", toDay: day, toTime: "" })) this.firstDay = day;
  };

  private readonly onSubmit = (event: Event): void => {
    event.preventDefault();
    if (!this.edited || this.apply(this.input)) this.dispatchEvent(new Event("done"));
  };

  /** Shows the range in the inputs. Returns whether they form one. */
  private apply(input: RangeInput): boolean {
    const range = rangeFromInput(input, this.viewer.zone);
    this.input = input;
    this.error = typeof range === "string" ? range : null;
    if (typeof range !== "string") void this.viewer.changeSearch(() => ({ range }));
    return this.error === null;
  }
}

/** Formats the month of a day (YYYY-MM-DD). */
function formatMonth(day: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { month: "long", year: "numeric", timeZone: "UTC" }).format(Date.parse(day));
}

function formatDay(day: string, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" }).format(Date.parse(day));
}

/** Returns the first day of the week, with 0 for Sunday. It is Monday if the browser does not provide it. */
function firstDayOfWeek(locale: string): number {
  const known = new Intl.Locale(locale) as Intl.Locale & { getWeekInfo?: () => { firstDay: number } };
  return (known.getWeekInfo?.().firstDay ?? 1) % 7;
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-range-form": RangeForm;
  }
}
