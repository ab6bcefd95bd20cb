/** Converts between a saved view and a view of the log. */
import type { SavedView, ViewContent } from "../api/saved-views.js";
import { addressParams, parseRange } from "./range.js";
import { DEFAULT_VIEW, type View } from "./view.js";

/** Returns the view of the log for a saved view. */
export function viewOf(saved: SavedView): View {
  const { id, query, sort, columns, group, compare } = saved;
  const times = new URLSearchParams();
  for (const name of ["range", "from", "to"] as const) if (saved[name]) times.set(name, saved[name]);
  return { ...DEFAULT_VIEW, query, range: parseRange(times), sort, columns, group: group ?? "", compare, saved: id };
}

/** Returns the content of a view for saving. `zone` is "" for each reader's own. */
export function contentOf(view: View, columns: string[], zone: string): ViewContent {
  const times = new Map(addressParams(view.range));
  const [range, from, to] = ["range", "from", "to"].map((name) => times.get(name) ?? null) as [string | null, string | null, string | null];
  const { query, sort, group, compare } = view;
  return { query, range, from, to, sort, columns, group: group || null, compare, tz: zone || null };
}

/** Returns whether the content of a view differs from the saved view. The zone counts only if the saved view has one. */
export function differs(saved: SavedView, view: View, zone: string): boolean {
  const before = viewOf(saved);
  const key = ({ query, range, sort, columns, group, compare }: View): string =>
    JSON.stringify([query.trim(), addressParams(range), sort, columns, group, compare]);
  return key(before) !== key(view) || (saved.tz !== null && saved.tz !== zone);
}
