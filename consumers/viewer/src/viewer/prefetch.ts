/** The list's first page, asked for together with whose log it is: by the time that is known, rows are on their way. */
import type { Client, QueryParams } from "../api/client.js";
import type { EventPage } from "../api/types.js";
import { FIRST_PAGE_SIZE } from "../model/pages.js";
import { DEFAULT_SORT } from "../model/view.js";

export class Prefetch {
  private key = "";
  private page: Promise<EventPage | null> | null = null;

  start(client: Client, pairs: QueryParams): void {
    this.key = JSON.stringify(pairs);
    const asked = client.json<EventPage>("/v1/events", { params: [...pairs, ["limit", String(FIRST_PAGE_SIZE)]] });
    this.page = asked.catch(() => null); // whoever needs it asks again, and tells what is wrong
  }

  /** The page for these parameters, once; null when it was not asked for. Resolves to null when there was no answer. */
  take(pairs: QueryParams): Promise<EventPage | null> | null {
    const page = this.key === JSON.stringify(pairs) ? this.page : null;
    this.page = null;
    return page;
  }
}

/** What a list is asked for, other than limit and place. */
export function listParams(filter: QueryParams, sort: string): QueryParams {
  return [...filter, ...(sort === DEFAULT_SORT ? [] : [["sort", sort] as const])];
}
