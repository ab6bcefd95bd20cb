/** The view of the log, and its encoding in the page's URL, so that it can be shared as a link. */
import { addressParams, ALL_TIME, parseRange, type Range } from "./range.js";
import { isZone } from "./zone.js";

export interface View {
  /** In the service's query language. */
  query: string;
  range: Range;
  /** The parameter name of a field, with a leading `-` for descending order. */
  sort: string;
  /** Whether the list follows arriving events. */
  live: boolean;
  /** The reference of the event whose details are open, or "". */
  open: string;
  /** The columns in a link, in order. Null means the reader's own. */
  columns: string[] | null;
  /** The parameter name of the field that groups events over time, or "". */
  group: string;
  /** Whether counts are compared with those of the preceding period. */
  compare: boolean;
  /** Whether the settings are shown in place of the log. */
  settings: boolean;
  /** The id of the saved view that the reader started from, or "". */
  saved: string;
}

export const DEFAULT_SORT = "-occurred_at";
export const DEFAULT_VIEW: View = {
  query: "",
  range: ALL_TIME,
  sort: DEFAULT_SORT,
  live: false,
  open: "",
  columns: null,
  group: "",
  compare: false,
  settings: false,
  saved: "",
};
const SHOWN = "1";
const VIEW_ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/; // excludes a host page's own parameter `view`

/** Reads a view from the query string of a URL. Missing and invalid parts get their defaults. */
export function viewFromSearch(search: string): View {
  const given = new URLSearchParams(search);
  const sort = given.get("sort") || DEFAULT_SORT;
  return {
    query: given.get("query") ?? "",
    range: parseRange(given),
    sort,
    live: given.get("live") === "1" && sort === DEFAULT_SORT, // arriving events have a position only in a list sorted by time
    open: given.get("event") ?? "",
    columns: given.get("columns")?.split(",").filter(Boolean) ?? null,
    group: given.get("group") ?? "",
    compare: given.get("compare") === "1",
    settings: given.get("settings") === SHOWN, // a host page may have its own parameter with this name
    saved: viewIdIn(given),
  };
}

/** Returns the id of the saved view in a link that does not contain the content of the view, and "" otherwise. */
export function linkedViewIn(search: string): string {
  const given = new URLSearchParams(search);
  return given.has("query") ? "" : viewIdIn(given);
}

/**
 * Returns the query string for a link to a saved view, which shows the view's current content. Other parameters of
 * `present` are kept.
 */
export function searchForSavedView(id: string, present = ""): string {
  const params = new URLSearchParams(searchFromView(DEFAULT_VIEW, present));
  params.set("view", id);
  return `?${params.toString()}`;
}

function viewIdIn(given: URLSearchParams): string {
  const id = given.get("view") ?? "";
  return VIEW_ID.test(id) ? id : "";
}

/** Reads the IANA time zone from the query string of a URL. Returns "" if it is missing or invalid. */
export function zoneFromSearch(search: string): string {
  const zone = new URLSearchParams(search).get("tz") ?? "";
  return isZone(zone) ? zone : "";
}

/**
 * Returns the query string of a view, with "?" unless it is empty. Other parameters of `present` are kept. Without a
 * `zone`, readers who open the link see times in their own zone.
 */
export function searchFromView(view: View, present = "", zone = ""): string {
  const params = new URLSearchParams(present);
  if (zone) params.set("tz", zone);
  else params.delete("tz");
  for (const name of ["query", "range", "from", "to", "sort", "live", "event", "columns", "group", "compare"]) params.delete(name);
  if (params.get("settings") === SHOWN) params.delete("settings");
  if (viewIdIn(params)) params.delete("view");
  if (view.saved) params.set("view", view.saved);
  if (view.query || view.saved) params.set("query", view.query);
  for (const [name, value] of addressParams(view.range)) params.set(name, value);
  if (view.sort !== DEFAULT_SORT) params.set("sort", view.sort);
  if (view.live) params.set("live", "1");
  if (view.open) params.set("event", view.open);
  if (view.columns?.length) params.set("columns", view.columns.join(","));
  if (view.group) params.set("group", view.group);
  if (view.compare) params.set("compare", "1");
  if (view.settings) params.set("settings", SHOWN);
  const text = params.toString();
  return text ? `?${text}` : "";
}
