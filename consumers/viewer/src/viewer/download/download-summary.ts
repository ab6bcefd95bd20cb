/** Renders what a file will contain, and whether it continues the reader's last download. */
import { html, nothing, type TemplateResult } from "lit";

import type { LastDownload } from "../../api/types.js";
import { formatCount, formatRange } from "../../model/format/summary.js";
import { DEFAULT_SORT } from "../../model/view.js";
import type { ViewerState } from "../viewer-state.js";

export interface FileSummary {
  /** The number of events. Null while they are counted, and "unknown" for a reader without a valid session. */
  rows: number | "unknown" | null;
  sinceLast: boolean;
  /** The zone of the times in the file. */
  zone: string;
}

/** Offers the events since the last download of this search, regardless of the time range. */
export function renderSince({ text, language, zone }: ViewerState, last: LastDownload, on: boolean, onChange: (on: boolean) => void): TemplateResult {
  const { since } = text.download;
  const style = { dateStyle: "medium", timeStyle: "medium", timeZone: zone } as const;
  const at = last.at && new Intl.DateTimeFormat(language, style).format(new Date(last.at));
  return html`<div>
    <label class="radio">
      <input
        type="checkbox"
        aria-describedby="since"
        .checked=${on}
        @change=${(event: Event) => onChange((event.target as HTMLInputElement).checked)}
      />${since.last}
    </label>
    <p class="small" id="since">${at ? since.at(at) : since.none}</p>
  </div>`;
}

export function renderSummary(viewer: ViewerState, file: FileSummary): TemplateResult {
  const { text, view, language, zone } = viewer;
  const words = text.download;
  const rangeText = formatRange(view.range, text, language, zone);
  const time = file.sinceLast ? words.since.range : rangeText && view.range.kind === "custom" ? `${rangeText} (${zone})` : rangeText || words.allTime;
  const rows = file.rows === null ? words.counting : file.rows === "unknown" ? "–" : words.events(file.rows, formatCount(file.rows, language));
  const times = file.zone === zone ? words.localTimes(zone) : words.timesInFile(file.zone, zone);
  return html`<dl part="summary">
    <dt>${words.rows}</dt>
    <dd><span role="status">${rows}</span></dd>
    <dt>${words.filter}</dt>
    <dd>${view.query.trim() ? html`<code>${view.query.trim()}</code>` : words.noFilter}</dd>
    <dt>${words.access}</dt>
    <dd>${words.accessChoice[viewer.preferences.access ? "included" : view.query.trim() ? "leftOutUnlessNamed" : "leftOut"]}</dd>
    <dt>${words.time}</dt>
    <dd>${time}${zone === "UTC" && file.zone === "UTC" ? nothing : html`<br /><span class="small">${times}</span>`}</dd>
    <dt>${words.order}</dt>
    <dd>${view.sort === DEFAULT_SORT ? words.newestFirst : words.newestFirstAnyway}</dd>
  </dl>`;
}
