/** Decorative icons. The text next to an icon always carries the meaning. */
import { html, svg, type TemplateResult } from "lit";

const PATHS = {
  back: "M10 3L5 8l5 5",
  bars: "M3 13V8.5M6.3 13V3.5M9.7 13v-3M13 13V6",
  check: "M3 8.5l3.2 3.2L13 5",
  clock: "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11M8 5v3.2l2 1.3",
  close: "M4 4l8 8M12 4l-8 8",
  columns: "M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10",
  copy: "M5.5 5.5h7v8h-7zM3.5 10.5v-8h7",
  down: "M8 3v9.5M4 8.5l4 4 4-4",
  download: "M8 2.5v7.5M4.8 7L8 10.2 11.2 7M3 13.5h10",
  filter: "M2.5 3h11L9.5 8v4.5l-3 1V8z",
  fold: "M4 10l4-4 4 4",
  grip: "M6 4v.1M10 4v.1M6 8v.1M10 8v.1M6 12v.1M10 12v.1",
  link: "M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2.3-2.3a2.6 2.6 0 0 0-3.7-3.7l-.8.8M9.2 6.8a2.6 2.6 0 0 0-3.7 0L3.2 9.1a2.6 2.6 0 0 0 3.7 3.7l.8-.8",
  lock: "M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5",
  minus: "M3 8h10",
  off: "M8 2.5v5M4.6 4.5a5 5 0 1 0 6.8 0",
  offline: "M2 2l12 12M4.2 6.3A7 7 0 0 1 6 5.2M9.5 5a7 7 0 0 1 2.6 1.6M6.3 9a3.5 3.5 0 0 1 3.4 0M8 12.2v.1",
  people: "M6 3a2.3 2.3 0 1 0 0 4.6a2.3 2.3 0 0 0 0-4.6M2 13a4 4 0 0 1 8 0M10.5 3.2a2.3 2.3 0 0 1 0 4.2M12 9.6a4 4 0 0 1 2 3.4",
  pencil: "M3 13l.6-2.8L10.8 3l2.2 2.2-7.2 7.2zM9.3 4.5l2.2 2.2",
  more: "M3.5 8v.1M8 8v.1M12.5 8v.1",
  plus: "M8 3v10M3 8h10",
  save: "M4 2.5h8v11L8 10.7 4 13.5z",
  refresh: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v3h-3",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 0 0 0-9M10.4 10.4l3.1 3.1",
  send: "M2.5 8L13.5 3l-4 10.5-2.2-4.3z",
  settings: "M2.5 4.5h6M12 4.5h1.5M2.5 11.5H4M7.5 11.5h6M10.2 2.8a1.7 1.7 0 1 0 0 3.4a1.7 1.7 0 0 0 0-3.4M5.8 9.8a1.7 1.7 0 1 0 0 3.4a1.7 1.7 0 0 0 0-3.4",
  trash: "M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.6 9h5.8l.6-9",
  undo: "M5.5 3L3 5.5 5.5 8M3 5.5h6.2a3.6 3.6 0 0 1 0 7.2H6",
  unfold: "M4 6l4 4 4-4",
  up: "M8 13V3.5M4 7.5l4-4 4 4",
  warning: "M8 2.5l6 11H2zM8 6.5v3.2M8 11.6v.1",
} as const;

export type IconName = keyof typeof PATHS;

export function icon(name: IconName): TemplateResult {
  const path = svg`<path d=${PATHS[name]}></path>`;
  return html`<svg
    class="icon"
    aria-hidden="true"
    width="16"
    height="16"
    viewBox="0 0 16 16"
    fill="none"
    stroke="currentColor"
    stroke-width="1.5"
    stroke-linecap="round"
    stroke-linejoin="round"
  >
    ${path}
  </svg>`;
}
