/**
 * The list as the pages that it was read in. Far pages keep their place and their cursor, and lose their rows: a jump
 * to anywhere that was seen is one request, and memory stays the same however far somebody scrolls.
 */
import type { AuditEvent, EventPage } from "../api/types.js";
import { claims, same } from "./identity.js";

export const FIRST = 50; // rows of the first page, which is waited for
export const MORE = 200; // of all others; the most that the service gives
const AHEAD = 400; // rows that are asked for before they are in view

/** In rows. */
export interface Bounds {
  /** On each side of the view that stay. */
  kept: number;
  /** Whose place is known; beyond, the far end is forgotten. */
  known: number;
  /** How many are forgotten at once. */
  spare: number;
}

const USUAL: Bounds = { kept: 2_000, known: 100_000, spare: 25_000 };

interface Page {
  /** Where it begins; null for the first, which is known by the page after it, so that it stays as newer events come. */
  cursor: string | null;
  rows: AuditEvent[] | null;
  count: number;
  next: string | null;
  prev: string | null;
}

/** What to ask for; `cursor` null is the list's beginning. */
export interface Ask {
  kind: "next" | "again" | "newer";
  cursor: string | null;
  limit: number;
  /** Whether somebody looks at where its rows belong. */
  seen: boolean;
  page: object | null;
}

/** Rows from index `at` on have moved by `by`. */
export interface Moved {
  at: number;
  by: number;
}

const STILL: Moved = { at: 0, by: 0 };

/** Indices are rows, from 0 for the first that is known. */
export class Pages {
  private pages: Page[] = [];
  private starts: number[] = [];
  /** Rows before index 0 whose place was known and is forgotten. */
  base = 0;
  begun = false;

  constructor(private readonly bounds: Bounds = USUAL) {}

  /** How many rows are known. */
  get count(): number {
    const last = this.pages.length - 1;
    return last < 0 ? 0 : (this.starts[last] as number) + (this.pages[last] as Page).count;
  }

  /** Whether the last known row is the list's last. */
  get ended(): boolean {
    return this.begun && !this.pages.at(-1)?.next;
  }

  /** Whether the first known row is the list's first, as far as we were told. */
  get fromTop(): boolean {
    return !this.pages[0]?.prev;
  }

  /** The rows of pages that are here now. */
  get held(): number {
    return this.pages.reduce((sum, page) => sum + (page.rows?.length ?? 0), 0);
  }

  /** The row; undefined where none is known or it was dropped. */
  at(index: number): AuditEvent | undefined {
    const place = this.placeOf(index);
    return place < 0 ? undefined : this.pages[place]?.rows?.[index - (this.starts[place] as number)];
  }

  /** The index of the first event of this kind among the rows that are here; -1 without. */
  find(meant: (row: AuditEvent) => boolean): number {
    for (const [place, page] of this.pages.entries()) {
      const found = page.rows?.findIndex(meant) ?? -1;
      if (found >= 0) return (this.starts[place] as number) + found;
    }
    return -1;
  }

  /** What is missing most when rows `first` to `last` are in view; null when nothing is. */
  wanted(first: number, last: number): Ask | null {
    if (!this.begun) return { kind: "next", cursor: null, limit: FIRST, seen: true, page: null };
    const inView = this.missing(first, last);
    if (inView) return this.again(inView, true);
    const end = this.pages.at(-1);
    if (end?.next && last >= this.count) return this.after(end, true);
    if (end?.next && last + AHEAD >= this.count) return this.after(end, false);
    const start = this.pages[0];
    if (start?.prev && first < AHEAD) {
      return { kind: "newer", cursor: start.prev, limit: MORE, seen: first === 0, page: start };
    }
    const near = this.missing(first - AHEAD, last + AHEAD);
    return near ? this.again(near, false) : null;
  }

  /** Puts an answer in its place; one whose place is gone changes nothing. */
  take(ask: Ask, answer: EventPage): Moved {
    const page: Page = { cursor: ask.cursor, rows: answer.data, count: answer.data.length, next: answer.next, prev: answer.prev };
    if (ask.kind === "again") return this.refill(ask.page as Page, page);
    if (ask.page !== null && ask.page !== (ask.kind === "next" ? this.pages.at(-1) : this.pages[0])) return STILL;
    if (ask.kind === "next") {
      this.begun = true;
      this.pages.push(page);
      this.placed();
      return STILL;
    }
    const [start] = this.pages as [Page];
    page.cursor = null;
    if (page.count) this.pages.unshift(page);
    else start.prev = null;
    if (page.count) start.cursor = page.next; // now that is known
    this.base = Math.max(0, this.base - page.count);
    this.placed();
    return { at: 0, by: page.count };
  }

  /** Drops what is far from rows `first` to `last`. */
  trim(first: number, last: number): Moved {
    const { kept, known, spare } = this.bounds;
    for (const [place, page] of this.pages.entries()) {
      const start = this.starts[place] as number;
      if (page.rows && (start + page.count < first - kept || start > last + kept)) page.rows = null;
    }
    if (this.count <= known) return STILL;
    if (first > this.count / 2) return this.forget(Math.min(spare, first - kept));
    while (this.pages.length > 1 && (this.starts.at(-1) as number) > Math.max(known - spare, last + kept)) {
      this.pages.pop();
      this.starts.pop();
    }
    return STILL;
  }

  /**
   * Puts an event that has just arrived where its time says, in a list of the newest first. Returns its index; -1 when
   * it is there already, or belongs where rows are not here.
   */
  insert(event: AuditEvent): number {
    if (!this.begun) return -1;
    if (!this.pages.length) this.pages.push({ cursor: null, rows: [], count: 0, next: null, prev: null });
    for (const [place, page] of this.pages.entries()) {
      const rows = page.rows;
      const oldest = rows?.at(-1);
      const last = place === this.pages.length - 1;
      if (oldest && event.occurred_at < oldest.occurred_at && !(last && !page.next)) continue;
      if (!rows || (place === 0 && page.prev)) return -1;
      if (this.find((row) => same(row, event)) >= 0) return -1;
      if (event.conflict) this.mark(event);
      const now = page.rows ?? rows;
      const found = now.findIndex((row) => row.occurred_at <= event.occurred_at);
      const within = found < 0 ? now.length : found;
      page.rows = [...now.slice(0, within), event, ...now.slice(within)];
      page.count += 1;
      if (place === 0 && page.count > 2 * MORE) this.split(page);
      this.placed();
      return (this.starts[place] as number) + within;
    }
    return -1;
  }

  /** What was there when nothing else claimed its id is in conflict from now on. */
  private mark(event: AuditEvent): void {
    for (const page of this.pages) {
      page.rows = page.rows?.map((row) => (claims(row, event) && !row.conflict ? { ...row, conflict: true } : row)) ?? null;
    }
  }

  /** A page that has grown by what arrived becomes two, so that the older one can be dropped. */
  private split(page: Page): void {
    const rows = page.rows ?? [];
    const [newer, older] = [rows.slice(0, -MORE), rows.slice(-MORE)]; // as many as one request brings back
    this.pages.splice(
      0,
      1,
      { cursor: null, rows: newer, count: newer.length, next: null, prev: null },
      { cursor: null, rows: older, count: older.length, next: page.next, prev: null },
    );
  }

  private after(end: Page, seen: boolean): Ask {
    return { kind: "next", cursor: end.next, limit: MORE, seen, page: end };
  }

  private missing(first: number, last: number): Page | null {
    const from = Math.max(0, this.placeOf(Math.max(0, first)));
    for (let place = from; place < this.pages.length && (this.starts[place] as number) <= last; place++) {
      if (!this.pages[place]?.rows) return this.pages[place] as Page;
    }
    return null;
  }

  /** A page whose place is only known by one further on waits for that. */
  private again(wanted: Page, seen: boolean): Ask {
    const from = this.pages.indexOf(wanted);
    const place = this.pages.findIndex((page, at) => at >= from && (page.cursor !== null || Boolean(this.pages[at + 1]?.prev)));
    const page = this.pages[Math.max(0, place)] as Page;
    const cursor = page.cursor ?? this.pages[place + 1]?.prev ?? null;
    return { kind: "again", cursor, limit: Math.min(MORE, Math.max(1, page.count)), seen, page };
  }

  /** Late events may have come in between: then the next page begins elsewhere than before, and is read again. */
  private refill(old: Page, page: Page): Moved {
    const place = this.pages.indexOf(old);
    if (place < 0) return STILL;
    const following = this.pages[place + 1];
    page.cursor = old.cursor;
    this.pages[place] = page;
    if (!page.next) this.pages.length = place + 1;
    else if (following && following.cursor !== page.next) {
      this.pages[place + 1] = { ...following, cursor: page.next, rows: null };
    }
    const moved = { at: (this.starts[place] as number) + old.count, by: page.count - old.count };
    this.placed();
    return moved;
  }

  private forget(rows: number): Moved {
    let gone = 0;
    while (this.pages.length > 1 && gone + (this.pages[0] as Page).count <= rows) gone += (this.pages.shift() as Page).count;
    this.base += gone;
    this.placed();
    return { at: 0, by: -gone };
  }

  private placeOf(index: number): number {
    let [low, high] = [0, this.pages.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.starts[middle] as number) <= index) low = middle;
      else high = middle - 1;
    }
    return high;
  }

  private placed(): void {
    let sum = 0;
    this.starts = this.pages.map((page) => (sum += page.count) - page.count);
  }
}
