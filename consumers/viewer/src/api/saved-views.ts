/**
 * Requests for saved views. A change names the revision that it replaces, so that it does not overwrite another
 * person's change.
 */
import type { Client } from "./client.js";

export interface ViewContent {
  /** In the service's query language. */
  query: string;
  /** A preset that moves with the clock, or null if the ends are fixed. */
  range: string | null;
  /** RFC 3339, or null for an open end. */
  from: string | null;
  to: string | null;
  sort: string;
  columns: string[] | null;
  /** The field that groups events over time, or null. */
  group: string | null;
  /** Whether counts are compared with those of the preceding period. */
  compare: boolean;
  /** The time zone (IANA) for times. Null means each reader's own. */
  tz: string | null;
}

export interface SavedView extends ViewContent {
  id: string;
  name: string;
  /** Whether everyone in the tenant has the view, or only this reader. */
  shared: boolean;
  revision: number;
  changed_by: string;
}

export type ViewToSave = ViewContent & Pick<SavedView, "name" | "shared">;

const PATH = "/v1/views";

/** Resolves to the tenant's views and the reader's own. Like all functions below, it rejects with Problem. */
export async function listViews(client: Client): Promise<SavedView[]> {
  return (await client.json<{ data: SavedView[] }>(PATH)).data;
}

export async function createView(client: Client, body: ViewToSave): Promise<SavedView> {
  return await client.json<SavedView>(PATH, { method: "POST", body });
}

/** Replaces `saved`, unless it has been changed since it was read. */
export async function replaceView(client: Client, saved: SavedView, body: ViewToSave): Promise<SavedView> {
  return await client.json<SavedView>(pathOf(saved), { method: "PUT", body, headers: ifUnchanged(saved) });
}

/** Deletes `saved`, unless it has been changed since it was read. */
export async function deleteView(client: Client, saved: SavedView): Promise<void> {
  await client.json<void>(pathOf(saved), { method: "DELETE", headers: ifUnchanged(saved) });
}

function pathOf(saved: SavedView): string {
  return `${PATH}/${encodeURIComponent(saved.id)}`;
}

function ifUnchanged(saved: SavedView): Record<string, string> {
  return { "If-Match": `"${saved.revision}"` };
}
