/**
 * The list, stored in the pages that were loaded.
 *
 * Distant pages keep their position and cursor but drop their rows. A jump to any known position therefore takes one
 * request, and memory does not grow with scrolling.
 */
import type { AuditEvent, EventPage } from "../api/types.js";
import { claimSameId, isSameEvent } from "./identity.js";

export const FIRST_PAGE_SIZE = 50; // small, so that the first rows appear quickly
export const PAGE_SIZE = 200; // the service's maximum
const PREFETCH_ROWS = 400; // number of rows loaded before they are in view

/** All of these are numbers of rows. */
export interface Bounds {
  /** The number of rows kept on each side of the view. */
  kept: number;
  /** The number of rows whose position is remembered. Beyond it, rows at the far end are dropped. */
  known: number;
  /** The number of rows to drop each time the limit is exceeded. */
  spare: number;
}

const DEFAULT_BOUNDS: Bounds = { kept: 2_000, known: 100_000, spare: 25_000 };

interface Page {
  /**
   * The cursor of the beginning of the page. Null for the first page, which is loaded again with `prev` of the next one
   * when newer events arrive.
   */
  cursor: string | null;
  rows: AuditEvent[] | null;
  count: number;
  next: string | null;
  prev: string | null;
  /** The time that a search had reached when it ended before the page was full. */
  searchedTo?: string | null | undefined;
}

/** The next page to request. `cursor` is null at the beginning of the list. */
export interface PageRequest {
  kind: "next" | "again" | "newer";
  cursor: string | null;
  limit: number;
  /** Whether the page's rows are in view. */
  inView: boolean;
  page: object | null;
}

/** The rows from index `at` on have moved by `by`. */
export interface RowShift {
  at: number;
  by: number;
}

const NO_SHIFT: RowShift = { at: 0, by: 0 };

/** Indices count rows, from 0 for the first known one. */
export class Pages {
  private pages: Page[] = [];
  private starts: number[] = [];
  /** The number of rows before index 0 that were loaded and then dropped to save memory. */
  forgottenRows = 0;
  started = false;
  /** Whether to continue a search that has found nothing since the last page until it finds something. */
  searching = false;

  constructor(private readonly bounds: Bounds = DEFAULT_BOUNDS) {}

  /** The number of known rows. */
  get count(): number {
    const last = this.pages.length - 1;
    return last < 0 ? 0 : (this.starts[last] as number) + (this.pages[last] as Page).count;
  }

  /** Whether the last known row is the last one in the list. */
  get ended(): boolean {
    return this.started && !this.pages.at(-1)?.next;
  }

  /** The time reached by a search that has found nothing since the last row and can be continued, or null otherwise. */
  get searchedTo(): string | null {
    const end = this.pages.at(-1);
    return (end?.next && !end.count && end.searchedTo) || null;
  }

  /** Whether the reader decides how far to search. */
  get paused(): boolean {
    return !this.searching && this.searchedTo !== null;
  }

  /** Whether the first known row is the first in the list, according to the service. */
  get fromTop(): boolean {
    return !this.pages[0]?.prev;
  }

  /** The number of rows in memory. */
  get loadedRows(): number {
    return this.pages.reduce((sum, page) => sum + (page.rows?.length ?? 0), 0);
  }

  /** Returns a row, or undefined if it is unknown or has been dropped. */
  at(index: number): AuditEvent | undefined {
    const page = this.pageIndexOf(index);
    return page < 0 ? undefined : this.pages[page]?.rows?.[index - (this.starts[page] as number)];
  }

  /** Returns the index of the first matching row in memory, or -1. */
  find(matches: (row: AuditEvent) => boolean): number {
    for (const [index, page] of this.pages.entries()) {
      const found = page.rows?.findIndex(matches) ?? -1;
      if (found >= 0) return (this.starts[index] as number) + found;
    }
    return -1;
  }

  /** Returns the most urgent request while rows `first` to `last` are in view, or null if nothing is missing. */
  nextRequest(first: number, last: number): PageRequest | null {
    if (!this.started) return { kind: "next", cursor: null, limit: FIRST_PAGE_SIZE, inView: true, page: null };
    const inView = this.missingPage(first, last);
    if (inView) return this.requestAgain(inView, true);
    const end = this.pages.at(-1);
    if (end?.next && !this.paused && last + PREFETCH_ROWS >= this.count) return this.requestAfter(end, last >= this.count);
    const start = this.pages[0];
    if (start?.prev && first < PREFETCH_ROWS) {
      return { kind: "newer", cursor: start.prev, limit: PAGE_SIZE, inView: first === 0, page: start };
    }
    const near = this.missingPage(first - PREFETCH_ROWS, last + PREFETCH_ROWS);
    return near ? this.requestAgain(near, false) : null;
  }

  /** Inserts a response, unless its position has been dropped. */
  accept(request: PageRequest, response: EventPage): RowShift {
    const page: Page = { cursor: request.cursor, rows: response.data, count: response.data.length, next: response.next, prev: response.prev, searchedTo: response.searched_to };
    if (request.kind === "again") return this.refill(request.page as Page, page);
    if (request.page !== null && request.page !== (request.kind === "next" ? this.pages.at(-1) : this.pages[0])) return NO_SHIFT;
    if (request.kind === "next") {
      this.started = true;
      if (page.count) this.searching = false;
      this.pages.push(page);
      this.updateStarts();
      return NO_SHIFT;
    }
    const [start] = this.pages as [Page];
    page.cursor = null;
    if (page.count) this.pages.unshift(page);
    else start.prev = page.prev; // a long search may end with an empty page
    if (page.count) start.cursor = page.next; // up to the end of the newer page
    this.forgottenRows = Math.max(0, this.forgottenRows - page.count);
    this.updateStarts();
    return { at: 0, by: page.count };
  }

  /** Drops rows far outside the range from `first` to `last`. */
  trim(first: number, last: number): RowShift {
    const { kept, known, spare } = this.bounds;
    for (const [index, page] of this.pages.entries()) {
      const start = this.starts[index] as number;
      if (page.rows && (start + page.count < first - kept || start > last + kept)) page.rows = null;
    }
    if (this.count <= known) return NO_SHIFT;
    if (first > this.count / 2) return this.forget(Math.min(spare, first - kept));
    while (this.pages.length > 1 && (this.starts.at(-1) as number) > Math.max(known - spare, last + kept)) {
      this.pages.pop();
      this.starts.pop();
    }
    return NO_SHIFT;
  }

  /**
   * Inserts an event that has just arrived at its position by time, in a list with the newest first.
   *
   * Returns its index, or -1 if it is already present or belongs where rows were dropped.
   */
  insert(event: AuditEvent): number {
    if (!this.started) return -1;
    if (!this.pages.length) this.pages.push({ cursor: null, rows: [], count: 0, next: null, prev: null });
    for (const [index, page] of this.pages.entries()) {
      const rows = page.rows;
      const oldest = rows?.at(-1);
      const last = index === this.pages.length - 1;
      if (oldest && event.occurred_at < oldest.occurred_at && !(last && !page.next)) continue;
      if (!rows || (index === 0 && page.prev)) return -1;
      if (this.find((row) => isSameEvent(row, event)) >= 0) return -1;
      if (event.conflict) this.markConflicts(event);
      const now = page.rows ?? rows;
      const found = now.findIndex((row) => row.occurred_at <= event.occurred_at);
      const within = found < 0 ? now.length : found;
      page.rows = [...now.slice(0, within), event, ...now.slice(within)];
      page.count += 1;
      if (index === 0 && page.count > 2 * PAGE_SIZE) this.split(page);
      this.updateStarts();
      return (this.starts[index] as number) + within;
    }
    return -1;
  }

  /** Marks rows that were unique before this event with the same id and time arrived. */
  private markConflicts(event: AuditEvent): void {
    for (const page of this.pages) {
      page.rows = page.rows?.map((row) => (claimSameId(row, event) && !row.conflict ? { ...row, conflict: true } : row)) ?? null;
    }
  }

  /** Splits a page that has grown because events arrived, so that its older part can be dropped. */
  private split(page: Page): void {
    const rows = page.rows ?? [];
    // one request must be able to load the older part again
    const newer = rows.slice(0, -PAGE_SIZE);
    const older = rows.slice(-PAGE_SIZE);
    this.pages.splice(
      0,
      1,
      { cursor: null, rows: newer, count: newer.length, next: null, prev: null },
      { cursor: null, rows: older, count: older.length, next: page.next, prev: null },
    );
  }

  private requestAfter(end: Page, inView: boolean): PageRequest {
    return { kind: "next", cursor: end.next, limit: PAGE_SIZE, inView, page: end };
  }

  private missingPage(first: number, last: number): Page | null {
    const from = Math.max(0, this.pageIndexOf(Math.max(0, first)));
    for (let index = from; index < this.pages.length && (this.starts[index] as number) <= last; index++) {
      if (!this.pages[index]?.rows) return this.pages[index] as Page;
    }
    return null;
  }

  /** Requests a dropped page. If its own cursor is unknown, the page after it is requested first. */
  private requestAgain(wanted: Page, inView: boolean): PageRequest {
    const from = this.pages.indexOf(wanted);
    const index = this.pages.findIndex((page, at) => at >= from && (page.cursor !== null || Boolean(this.pages[at + 1]?.prev)));
    const page = this.pages[Math.max(0, index)] as Page;
    const cursor = page.cursor ?? this.pages[index + 1]?.prev ?? null;
    return { kind: "again", cursor, limit: Math.min(PAGE_SIZE, Math.max(1, page.count)), inView, page };
  }

  /** Replaces a dropped page. If late events have moved the beginning of the next page, that page is dropped and loaded again. */
  private refill(old: Page, page: Page): RowShift {
    const index = this.pages.indexOf(old);
    if (index < 0) return NO_SHIFT;
    const following = this.pages[index + 1];
    page.cursor = old.cursor;
    this.pages[index] = page;
    if (!page.next) this.pages.length = index + 1;
    else if (following && following.cursor !== page.next) {
      this.pages[index + 1] = { ...following, cursor: page.next, rows: null };
    }
    const moved = { at: (this.starts[index] as number) + old.count, by: page.count - old.count };
    this.updateStarts();
    return moved;
  }

  private forget(rows: number): RowShift {
    let gone = 0;
    while (this.pages.length > 1 && gone + (this.pages[0] as Page).count <= rows) gone += (this.pages.shift() as Page).count;
    this.forgottenRows += gone;
    this.updateStarts();
    return { at: 0, by: -gone };
  }

  private pageIndexOf(index: number): number {
    let low = 0;
    let high = this.pages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] as number) <= index) low = middle;
      else high = middle - 1;
    }
    return high;
  }

  private updateStarts(): void {
    let sum = 0;
    this.starts = this.pages.map((page) => (sum += page.count) - page.count);
  }
}
