/** Narrows a request to another query, or to the values that contain a text. */
import type { QueryParams } from "../../api/client.js";
import { formatTerm, wildcardTerm } from "../../model/query.js";
import type { ViewerState } from "../viewer-state.js";

const MAX_LABELLED = 20; // maximum number of actions that a search adds by name because their labels match

/** Returns a term for values that contain the text. For actions, it also matches those whose labels contain it. */
export function narrowingTerm(viewer: ViewerState, field: string, typed: string): string {
  const labelled = field === "action" ? viewer.actions.matching(typed).slice(0, MAX_LABELLED) : [];
  const terms = [wildcardTerm(field, typed, "within"), ...labelled.map(({ name }) => formatTerm(field, name))];
  return terms.length > 1 ? `(${terms.join(" OR ")})` : terms.join("");
}

/** Returns the filter with another query. */
export function withQuery(filter: QueryParams, query: string): QueryParams {
  const rest = filter.filter(([name]) => name !== "query");
  return query.trim() ? [["query", query.trim()], ...rest] : rest;
}
