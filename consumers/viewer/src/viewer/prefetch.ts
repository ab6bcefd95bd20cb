/** Requests the list's first page together with the session, so that the rows arrive earlier. */
import type { Client, QueryParams } from "../api/client.js";
import type { EventPage } from "../api/types.js";
import { FIRST_PAGE_SIZE } from "../model/pages.js";
import { DEFAULT_SORT } from "../model/view.js";

export class Prefetch {
  private key = "";
  private page: Promise<EventPage | null> | null = null;

  start(client: Client, params: QueryParams): void {
    this.key = JSON.stringify(params);
    const response = client.json<EventPage>("/v1/events", { params: [...params, ["limit", String(FIRST_PAGE_SIZE)]] });
    this.page = response.catch(() => null); // the loader requests the page again and reports the problem
  }

  /** Returns the page for these parameters once, or null if it was not requested. Resolves to null if the request failed. */
  take(params: QueryParams): Promise<EventPage | null> | null {
    const page = this.key === JSON.stringify(params) ? this.page : null;
    this.page = null;
    return page;
  }
}

/** Returns the parameters of a list without limit and cursor. */
export function listParams(filter: QueryParams, sort: string): QueryParams {
  return [...filter, ...(sort === DEFAULT_SORT ? [] : [["sort", sort] as const])];
}
