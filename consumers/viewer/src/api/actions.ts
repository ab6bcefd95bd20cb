/** Requests for the catalogue of actions: the built-in ones, and those that the environment added. */
import type { Client } from "./client.js";

export interface Labels {
  en: string;
  de: string;
}

export interface NamedAction {
  /** The `action` of events. */
  name: string;
  label: Labels;
}

export interface CatalogueAction extends NamedAction {
  /** Whether the label is the environment's own. */
  own: boolean;
  builtIn: boolean;
}

/** A catalogue with the ETag of the environment's settings. */
export interface CatalogueVersion {
  actions: CatalogueAction[];
  etag: string;
}

/** Reads the catalogue; `tenant` is null for the environment. Rejects with Problem. */
export async function readActions(client: Client, tenant: string | null): Promise<CatalogueVersion> {
  const scope = tenant === null ? "" : `/tenants/${encodeURIComponent(tenant)}`;
  return await versionFrom(await client.send(`/v1${scope}/structure/actions`));
}

/** Adds the action to the environment's own, or gives it another label. Rejects with Problem. */
export async function nameAction(client: Client, etag: string, { name, label }: NamedAction): Promise<CatalogueVersion> {
  const body = { actions: [{ name, label }] };
  return await versionFrom(await client.send("/v1/structure/actions", { method: "POST", body, headers: { "If-Match": etag } }));
}

/** Removes the environment's label of an action. Rejects with Problem. */
export async function forgetAction(client: Client, name: string): Promise<void> {
  await client.json(`/v1/structure/actions/${encodeURIComponent(name)}`, { method: "DELETE" });
}

async function versionFrom(response: Response): Promise<CatalogueVersion> {
  const { actions } = (await response.json()) as { actions: CatalogueAction[] };
  return { actions, etag: response.headers.get("ETag") ?? "*" };
}
