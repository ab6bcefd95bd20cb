/** Changes to saved views, and the message that the reader sees if one fails. */
import { Problem } from "../../api/problem.js";
import { createView, deleteView, replaceView, type SavedView, type ViewToSave } from "../../api/saved-views.js";
import { viewTexts } from "../../i18n/views.js";
import { contentOf } from "../../model/saved-view.js";
import { kindOf } from "../../model/problem-kind.js";
import type { ViewerState } from "../viewer-state.js";

/** Saves what the viewer shows as a new view, and selects it. Like all functions below, it rejects with Problem. */
export async function saveView(viewer: ViewerState, name: string, shared: boolean): Promise<void> {
  const content = contentOf(viewer.view, viewer.columnNames, viewer.chosenZone);
  select(viewer, await createView(viewer.client, { ...content, name, shared }));
}

/** Replaces a view with what the viewer shows. */
export async function updateView(viewer: ViewerState, saved: SavedView): Promise<void> {
  const content = contentOf(viewer.view, viewer.columnNames, saved.tz === null ? "" : viewer.chosenZone);
  select(viewer, await changed(viewer, saved, { ...content, name: saved.name, shared: saved.shared }));
}

export async function renameView(viewer: ViewerState, saved: SavedView, name: string): Promise<void> {
  viewer.savedViews.put(await changed(viewer, saved, { ...bodyOf(saved), name }));
}

/** Shares a view with everyone in the tenant, or makes it the reader's own again. */
export async function shareView(viewer: ViewerState, saved: SavedView, shared: boolean): Promise<void> {
  viewer.savedViews.put(await changed(viewer, saved, { ...bodyOf(saved), shared }));
}

/** Deletes a view. The list of events stays unchanged. */
export async function removeView(viewer: ViewerState, saved: SavedView): Promise<void> {
  await orReload(viewer, deleteView(viewer.client, saved));
  viewer.savedViews.remove(saved);
  if (viewer.view.saved === saved.id) viewer.setView({ saved: "" });
}

/** Describes a failed change in the reader's language. */
export function describeProblem(problem: Problem, { language, text }: Pick<ViewerState, "language" | "text">): string {
  const { problems } = viewTexts[language];
  if (problem.status === 412) return problems.conflict;
  if (problem.status === 404) return problems.gone;
  if (problem.status === 409) return problem.field === "name" ? problems.name : problems.full;
  if (problem.status === 400 && problem.errors.some((error) => error.field === "query")) return problems.tooLong;
  const { title, advice } = text.states.problems[kindOf(problem)];
  return `${title}. ${advice}`;
}

/** Selects a view that has just been saved, without loading the list of events again. */
function select(viewer: ViewerState, saved: SavedView): void {
  viewer.savedViews.put(saved);
  viewer.setView({ saved: saved.id, columns: saved.columns });
}

async function changed(viewer: ViewerState, saved: SavedView, body: ViewToSave): Promise<SavedView> {
  return await orReload(viewer, replaceView(viewer.client, saved, body));
}

/** Loads the views again if the change fails because another person has changed them. */
async function orReload<T>(viewer: ViewerState, change: Promise<T>): Promise<T> {
  return await change.catch(async (cause: unknown) => {
    const problem = Problem.from(cause);
    if (problem.status === 412 || problem.status === 404) await viewer.savedViews.load(viewer.client);
    throw problem;
  });
}

function bodyOf(saved: SavedView): ViewToSave {
  const { name, shared, query, range, from, to, sort, columns, group, compare, tz } = saved;
  return { name, shared, query, range, from, to, sort, columns, group, compare, tz };
}
