import { html, nothing, type TemplateResult } from "lit";
import { state } from "lit/decorators.js";

import type { Group, Groups as GroupCounts } from "../../api/types.js";
import { customElement } from "../../elements/define.js";
import { RequestController } from "../../elements/request-controller.js";
import { barsOf } from "../../model/bars.js";
import { isComparable } from "../../model/comparison.js";
import { visible } from "../../model/format/text.js";
import { bucketsOf, type GroupRow, mostIn, narrowed, rowsOf } from "../../model/groups.js";
import { endsOf, type Range } from "../../model/range.js";
import { baseStyles } from "../../styles/base.js";
import { describeChange, describeInterval, fieldLabel, formatNumber, localeOf, valueLabel } from "../describe.js";
import { Plot } from "../search/plot.js";
import { plotStyles } from "../search/plot.styles.js";
import { ViewerElement } from "../viewer-element.js";
import { COLOURS, groupsStyles } from "./groups.styles.js";

const BUCKETS = 60;
const DESCRIBED = 3; // number of groups named for each bar

/** @summary Shows the events of the view by the values of a field: over time, and in a table whose rows narrow the search. */
@customElement("auditlane-groups")
export class Groups extends ViewerElement {
  static override styles = [baseStyles, plotStyles, groupsStyles];

  /** The row under the pointer or with the focus, whose part of the chart is emphasized, or -1. */
  @state() private emphasised = -1;

  private readonly counts = new RequestController<GroupCounts>(this, (problem) => {
    const retry = (): void => this.counts.invalidate();
    const reported = problem && !isUnknownField(problem);
    this.viewer?.failures.set(
      this.counts,
      reported ? { problem, keepsData: this.counts.result !== null, shownInPlace: false, retry } : null,
    );
  });
  private readonly plot = new Plot(this, {
    viewer: () => this.viewer,
    label: () => this.summary(),
    detail: (index) => this.describeBucket(index),
  });
  private rows: GroupRow[] = [];
  private shown: { result: GroupCounts | null; emphasised: number } = { result: null, emphasised: -1 };

  protected override willUpdate(): void {
    const { viewer, counts, emphasised } = this;
    const { view, accessParams, zone } = viewer;
    if (!view.group) return;
    const compare = view.compare && isComparable(view.range, viewer.asOf);
    const own = { field: view.group, limit: COLOURS, buckets: BUCKETS, tz: zone, compare };
    const params = [...viewer.filter(), ...Object.entries(own).map(([name, value]) => [name, String(value)] as const)];
    const key = JSON.stringify([view.query.trim(), view.range, accessParams, own]);
    const revision = viewer.recountCount;
    counts.request(key, (signal) => viewer.client.json<GroupCounts>("/v1/stats/groups", { params, signal }), { revision });
    const { result } = counts;
    if (result !== this.shown.result) {
      this.rows = result ? rowsOf(result) : [];
      this.emphasised = -1;
    } else if (emphasised === this.shown.emphasised) return;
    const [since, until] = endsOf(view.range, viewer.asOf);
    const histogram = result && { ...result, data: bucketsOf(result, this.rows) };
    const bars = result === this.shown.result ? this.plot.bars : histogram ? barsOf(histogram, since, until, viewer.asOf) : [];
    this.plot.setBars(bars, this.rows.map((row, index) => ({ fill: this.fillOf(row, index), counts: row.group.counts })));
    this.shown = { result, emphasised: this.emphasised };
  }

  protected override render(): TemplateResult {
    const { groups, states } = this.text;
    const { problem, result, pending, outdated } = this.counts;
    if (problem && isUnknownField(problem)) return this.renderUnknown();
    if (problem && !result) return html`<p class="quietly" role="status">${groups.failed}</p>`;
    if (!result) return html`<p class="quietly" role="status">${states.loading}</p>`;
    return html`<div class="head">
        <span class="quietly">${this.headline(result)}</span>
        <span class="read">${this.plot.readout()}</span>
      </div>
      ${this.rows.length
        ? html`<div class="panes" aria-busy=${pending && outdated}>
            <div class="chart">${this.plot.bars.length ? this.plot.render() : nothing}</div>
            <div class="list">${this.renderTable(result)}</div>
          </div>`
        : html`<p class="quietly" role="status">${groups.empty}</p>`}`;
  }

  private renderUnknown(): TemplateResult {
    const { groups } = this.text;
    return html`<p role="alert">
      ${groups.unknown(visible(this.viewer.view.group))}
      <button @click=${() => this.viewer.setView({ group: "" })}>${groups.ungrouped}</button>
    </p>`;
  }

  private renderTable(result: GroupCounts): TemplateResult {
    const { groups } = this.text;
    const field = fieldLabel(this.viewer, result.field);
    const compared = result.before !== null;
    return html`<table @mouseleave=${() => (this.emphasised = -1)}>
      <caption class="unseen">
        ${groups.table(field)}
      </caption>
      <thead>
        <tr>
          <th scope="col">${field}</th>
          <th scope="col" class="number">${groups.events}</th>
          ${compared
            ? html`<th scope="col" class="number">${groups.before}</th>
                <th scope="col" class="number">${groups.change}</th>`
            : html`<th scope="col" class="number">${groups.share}</th>`}
        </tr>
      </thead>
      <tbody>
        ${this.rows.map((row, index) => this.renderRow(result, row, index))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">${groups.total}</th>
          ${this.renderNumbers(result, { events: result.events, before: result.before?.events ?? null }, null)}
        </tr>
      </tfoot>
    </table>`;
  }

  private renderRow(result: GroupCounts, row: GroupRow, index: number): TemplateResult {
    const { groups } = this.text;
    const label = this.labelOf(row);
    const name = html`<svg class="swatch" aria-hidden="true"><rect width="10" height="10" rx="2" fill=${this.colourOf(row, index)}></rect></svg
      ><span class="value">${label}</span>`;
    const found = row.group.events > 0 && row.group.query !== null;
    const field = fieldLabel(this.viewer, result.field);
    const raw = row.kind === "value" ? visible(row.value) : label;
    const title = { value: groups.filter(field, raw === label ? label : `${label} (${raw})`), others: groups.filterOthers, none: groups.filterNone(field) }[row.kind];
    return html`<tr
      @mouseenter=${() => (this.emphasised = index)}
      @focusin=${() => (this.emphasised = index)}
      @focusout=${() => (this.emphasised = -1)}
    >
      <th scope="row">
        ${found
          ? html`<button class="quiet" title=${title} @click=${() => this.narrow(row, this.viewer.view.range)}>${name}</button>`
          : html`<span class="name">${name}</span>`}
      </th>
      ${this.renderNumbers(result, row.group, row)}
    </tr>`;
  }

  private renderNumbers(result: GroupCounts, { events, before }: Pick<Group, "events" | "before">, row: GroupRow | null): TemplateResult {
    const count = html`<td class="number">${formatNumber(this.viewer, events)}</td>`;
    if (before === null) return html`${count}<td class="number quietly">${this.share(events, result.events)}</td>`;
    const number = formatNumber(this.viewer, before);
    const period = result.before;
    const link = period && row && before > 0 && row.group.query !== null;
    const showBefore = (): void => this.narrow(row as GroupRow, { kind: "custom", from: period?.start ?? "", to: period?.end ?? "" });
    const { kind, text } = describeChange(this.viewer, before, events);
    return html`${count}
      <td class="number">
        ${link
          ? html`<button class="quiet" title=${this.text.groups.showBefore(number)} @click=${showBefore}>${number}</button>`
          : number}
      </td>
      <td class="number change ${kind}">${text}</td>`;
  }

  private narrow(row: GroupRow, range: Range): void {
    const { field } = this.counts.result as GroupCounts;
    void this.viewer.changeSearch((query) => ({ query: narrowed(query, field, row) ?? query, range }));
  }

  private labelOf(row: GroupRow): string {
    const { groups } = this.text;
    if (row.kind !== "value") return groups[row.kind];
    return valueLabel(this.viewer, this.counts.result?.field ?? "", row.value);
  }

  private colourOf(row: GroupRow, index: number): string {
    return row.kind === "value" ? `var(--group-${index + 1})` : `var(--group-${row.kind})`;
  }

  private fillOf(row: GroupRow, index: number): string {
    const colour = this.colourOf(row, index);
    return this.emphasised < 0 || this.emphasised === index ? colour : `color-mix(in srgb, ${colour} 22%, var(--ground))`;
  }

  private share(events: number, all: number): string {
    return new Intl.NumberFormat(localeOf(this.viewer), { style: "percent", maximumFractionDigits: 1 }).format(all ? events / all : 0);
  }

  /** Describes what was counted, and the period with which it is compared. */
  private headline(result: GroupCounts): string {
    const { groups, search } = this.text;
    const parts = [search.histogram.events(result.events, formatNumber(this.viewer, result.events))];
    if (result.buckets.length) parts.push(search.histogram.per(describeInterval(this.viewer, result.interval)));
    const rest = result.values - result.data.length;
    if (rest > 0) parts.push(groups.otherValues(rest, formatNumber(this.viewer, rest)));
    const { before, new: added, vanished } = result;
    if (before) parts.push(groups.compared(this.formatPeriod(before.start, before.end)));
    if (added || vanished) parts.push(groups.news(formatNumber(this.viewer, added ?? 0), formatNumber(this.viewer, vanished ?? 0)));
    const text = parts.join(", ");
    return !before && this.viewer.view.compare ? `${text}. ${groups.noPeriod}` : text;
  }

  private formatPeriod(start: string, end: string): string {
    const format = new Intl.DateTimeFormat(localeOf(this.viewer), { timeZone: this.viewer.zone, dateStyle: "medium", timeStyle: "short" });
    return format.formatRange(Date.parse(start), Date.parse(end));
  }

  private summary(): string {
    const { result } = this.counts;
    const label = this.text.groups.label(fieldLabel(this.viewer, result?.field ?? this.viewer.view.group));
    return [label, this.plot.peak()].filter(Boolean).join(". ");
  }

  private describeBucket(index: number): string {
    const most = mostIn(this.rows, index, DESCRIBED).map((at) => {
      const row = this.rows[at] as GroupRow;
      return `${this.labelOf(row)}: ${formatNumber(this.viewer, row.group.counts[index] ?? 0)}`;
    });
    return most.join(", ");
  }
}

function isUnknownField(problem: { code: string; field: string }): boolean {
  return problem.code === "FILTER_INVALID" && problem.field === "field";
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-groups": Groups;
  }
}
