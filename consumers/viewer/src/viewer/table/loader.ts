/** Requests the pages that the view needs, one at a time, and aborts those that are no longer in view. */
import type { QueryParams } from "../../api/client.js";
import { Problem } from "../../api/problem.js";
import type { AuditEvent, EventPage } from "../../api/types.js";
import { type PageRequest, FIRST_PAGE_SIZE, type RowShift, Pages } from "../../model/pages.js";
import { listParams } from "../prefetch.js";
import type { ViewerState } from "../viewer-state.js";

const SLOW_MS = 2_000;

/** A list: its parameters and its pages. */
interface LoadedList {
  /** Identifies query, range and order, independent of the time. */
  key: string;
  pairs: QueryParams;
  pages: Pages;
}

/** Called with `list` when another list is shown from its top, with `rows` after loading rows, and with `state` otherwise. */
type OnLoaded = (what: "list" | "rows" | "state", moved?: RowShift) => void;

export class Loader {
  /** Why loading failed. A failed refresh is not a problem of the list: the current rows stay. */
  problem: Problem | null = null;
  cancelled = false;
  /** Whether a request takes long that somebody waits for. */
  slow = false;

  /** The current list, also while the first page of the next one is loading. */
  private shown: LoadedList = { key: "", pairs: [], pages: new Pages() };
  private pending: LoadedList | null = null;
  private running: { ask: PageRequest; stop: AbortController } | null = null;
  private visible: readonly [number, number] = [0, 0];
  private timer = 0;

  constructor(
    private readonly viewer: ViewerState,
    private readonly onLoaded: OnLoaded,
  ) {}

  get pages(): Pages {
    return this.shown.pages;
  }

  /** Whether the wanted list is not loaded yet. */
  get stale(): boolean {
    return this.pending !== null;
  }

  /** Whether the shown rows belong to a previous query. */
  get outdated(): boolean {
    return this.pending !== null && this.pending.key !== this.shown.key;
  }

  get busy(): boolean {
    return this.running !== null && (this.stale || this.running.ask.inView);
  }

  /** Loads the list of the current view, from its beginning. */
  begin(): void {
    this.abort();
    const { query, range, sort } = this.viewer.view;
    const key = JSON.stringify([query.trim(), range, sort]);
    this.pending = { key, pairs: listParams(this.viewer.filter(), sort), pages: new Pages() };
    this.cancelled = false;
    this.problem = null;
    this.loadNext();
  }

  /** Sets the rows in view, `first` to `last`. */
  setVisible(first: number, last: number): void {
    this.visible = [first, last];
    if (!this.pending) this.loadNext();
  }

  retry(): void {
    if (this.pending) return this.begin();
    this.problem = null;
    this.cancelled = false;
    this.loadNext();
  }

  cancel(): void {
    this.abort();
    if (this.pending && !this.outdated) this.pending = null;
    else this.cancelled = true;
    this.report(null);
    this.onLoaded("state");
  }

  /** Aborts the request and withdraws the failure. */
  dispose(): void {
    this.abort();
    this.report(null);
  }

  abort(): void {
    this.running?.stop.abort();
    this.running = null;
    clearTimeout(this.timer);
    this.slow = false;
  }

  /** Resolves to the newest events of this list; null when the request fails. */
  async newest(): Promise<AuditEvent[] | null> {
    const { shown } = this;
    const found = await this.fetchPage(shown, { cursor: null, limit: FIRST_PAGE_SIZE }).catch(() => null);
    return shown === this.shown && !this.pending ? (found?.data ?? null) : null;
  }

  private loadNext(): void {
    if (this.problem || this.cancelled) return;
    const [first, last] = this.pending ? [0, 0] : this.visible;
    const ask = (this.pending ?? this.shown).pages.nextRequest(first, last);
    const now = this.running;
    if (!now && !ask) return;
    if (now && (!ask || !ask.inView || now.ask.inView || (now.ask.page === ask.page && now.ask.kind === ask.kind))) {
      if (now && ask?.inView && now.ask.page === ask.page) now.ask.inView = true;
      return;
    }
    this.abort();
    if (ask) void this.fetch(ask);
    this.onLoaded("state");
  }

  private async fetch(ask: PageRequest): Promise<void> {
    const stop = new AbortController();
    const asking = (this.running = { ask, stop });
    this.timer = window.setTimeout(() => {
      this.slow = true;
      this.onLoaded("state");
    }, SLOW_MS);
    try {
      const ahead = this.pending ? await this.viewer.prefetch.take(this.pending.pairs) : null;
      if (this.running !== asking) return;
      const answer = ahead ?? (await this.fetchPage(this.pending ?? this.shown, ask, stop.signal));
      if (this.running !== asking) return;
      this.abort();
      this.report(null);
      this.accept(ask, answer);
    } catch (cause) {
      const problem = Problem.from(cause);
      if (this.running !== asking || problem.aborted) return;
      this.abort();
      const kept = this.pending !== null && !this.outdated;
      if (kept) this.pending = null;
      else this.problem = problem;
      this.report(problem, kept);
      this.onLoaded("state");
      return;
    }
    this.loadNext();
  }

  private accept(ask: PageRequest, answer: EventPage): void {
    if (this.pending) {
      this.shown = this.pending;
      this.pending = null;
      this.pages.accept(ask, answer);
      this.visible = [0, 0];
      this.onLoaded("list");
      return;
    }
    this.shift(this.pages.accept(ask, answer));
    this.shift(this.pages.trim(...this.visible));
  }

  private shift(moved: RowShift): void {
    const [first, last] = this.visible;
    if (first >= moved.at) this.visible = [Math.max(0, first + moved.by), Math.max(0, last + moved.by)];
    this.onLoaded("rows", moved);
  }

  /** Reports a failure. `keepsData`: the rows of the same list are still shown. */
  private report(problem: Problem | null, keepsData = false): void {
    const retry = (): void => (keepsData ? this.begin() : this.retry());
    this.viewer.failures.set(this, problem && { problem, keepsData, shownInPlace: !keepsData, retry });
  }

  private fetchPage({ pairs }: LoadedList, { cursor, limit }: Pick<PageRequest, "cursor" | "limit">, signal?: AbortSignal): Promise<EventPage> {
    const place: QueryParams = cursor === null ? [] : [["cursor", cursor]];
    return this.viewer.client.json<EventPage>("/v1/events", { params: [...pairs, ["limit", String(limit)], ...place], signal });
  }
}
