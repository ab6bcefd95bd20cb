/** Requests the pages that the view needs, one at a time, and aborts requests for pages that are no longer in view. */
import type { QueryParams } from "../../api/client.js";
import { Problem } from "../../api/problem.js";
import type { AuditEvent, EventPage } from "../../api/types.js";
import { FIRST_PAGE_SIZE, type PageRequest, Pages, type RowShift } from "../../model/pages.js";
import { listParams } from "../prefetch.js";
import type { ViewerState } from "../viewer-state.js";

const SLOW_MS = 2_000;

/** A list with its parameters and its pages. */
interface LoadedList {
  /** Identifies the query, range, order and access events, regardless of the current time. */
  key: string;
  params: QueryParams;
  pages: Pages;
}

/** Called with `list` when another list is shown from its top, with `rows` when rows have been loaded, and with `state` otherwise. */
type OnLoaded = (what: "list" | "rows" | "state", shift?: RowShift) => void;

export class Loader {
  /** Why loading failed. A failed refresh does not count, since the list keeps its current rows. */
  problem: Problem | null = null;
  cancelled = false;
  /** Whether the current request is taking longer than `SLOW_MS`. */
  slow = false;

  /** The current list, even while the first page of the next one is loading. */
  private shown: LoadedList = { key: "", params: [], pages: new Pages() };
  private pending: LoadedList | null = null;
  private running: { request: PageRequest; controller: AbortController } | null = null;
  private visible: readonly [number, number] = [0, 0];
  private timer = 0;

  constructor(
    private readonly viewer: ViewerState,
    private readonly onLoaded: OnLoaded,
  ) {}

  get pages(): Pages {
    return this.shown.pages;
  }

  /** Whether the requested list has not been loaded yet. */
  get stale(): boolean {
    return this.pending !== null;
  }

  /** Whether the shown rows belong to a previous query. */
  get outdated(): boolean {
    return this.pending !== null && this.pending.key !== this.shown.key;
  }

  get busy(): boolean {
    return this.running !== null && (this.stale || this.running.request.inView);
  }

  /** Loads the list for the current view from its beginning. */
  begin(): void {
    this.abort();
    const { query, range, sort } = this.viewer.view;
    const key = JSON.stringify([query.trim(), range, sort, this.viewer.accessParams]);
    this.pending = { key, params: listParams(this.viewer.filter(), sort), pages: new Pages() };
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

  /** Continues a search that has found nothing so far, or stops it. */
  searchFurther(searching: boolean): void {
    this.abort();
    this.pages.searching = searching;
    this.onLoaded("rows");
  }

  /** Aborts the request and clears the failure. */
  dispose(): void {
    this.abort();
    this.report(null);
  }

  abort(): void {
    this.running?.controller.abort();
    this.running = null;
    clearTimeout(this.timer);
    this.slow = false;
  }

  /** Resolves to the newest events of this list, or to null if the request fails. */
  async newest(): Promise<AuditEvent[] | null> {
    const { shown } = this;
    const page = await this.fetchPage(shown, { cursor: null, limit: FIRST_PAGE_SIZE }).catch(() => null);
    return shown === this.shown && !this.pending ? (page?.data ?? null) : null;
  }

  private loadNext(): void {
    if (this.problem || this.cancelled) return;
    const [first, last] = this.pending ? [0, 0] : this.visible;
    const next = (this.pending ?? this.shown).pages.nextRequest(first, last);
    const current = this.running?.request;
    if (!current && !next) return;
    if (current && !isMoreUrgent(next, current)) {
      if (next?.inView && current.page === next.page) current.inView = true;
      return;
    }
    this.abort();
    if (next) void this.fetch(next);
    this.onLoaded("state");
  }

  private async fetch(request: PageRequest): Promise<void> {
    const running = { request, controller: new AbortController() };
    this.running = running;
    this.timer = window.setTimeout(() => {
      this.slow = true;
      this.onLoaded("state");
    }, SLOW_MS);
    try {
      const prefetched = this.pending ? await this.viewer.prefetch.take(this.pending.params) : null;
      if (this.running !== running) return;
      const page = prefetched ?? (await this.fetchPage(this.pending ?? this.shown, request, running.controller.signal));
      if (this.running !== running) return;
      this.abort();
      this.report(null);
      this.accept(request, page);
    } catch (cause) {
      const problem = Problem.from(cause);
      if (this.running !== running || problem.aborted) return;
      this.abort();
      const keepsData = this.pending !== null && !this.outdated;
      if (keepsData) this.pending = null;
      else this.problem = problem;
      this.report(problem, keepsData);
      this.onLoaded("state");
      return;
    }
    this.loadNext();
  }

  private accept(request: PageRequest, page: EventPage): void {
    if (this.pending) {
      this.shown = this.pending;
      this.pending = null;
      this.pages.accept(request, page);
      this.visible = [0, 0];
      this.onLoaded("list");
      return;
    }
    this.shift(this.pages.accept(request, page));
    this.shift(this.pages.trim(...this.visible));
  }

  private shift(shift: RowShift): void {
    const [first, last] = this.visible;
    if (first >= shift.at) this.visible = [Math.max(0, first + shift.by), Math.max(0, last + shift.by)];
    this.onLoaded("rows", shift);
  }

  /** Reports a failure. `keepsData` means that rows of the same list are still shown. */
  private report(problem: Problem | null, keepsData = false): void {
    const retry = (): void => (keepsData ? this.begin() : this.retry());
    this.viewer.failures.set(this, problem && { problem, keepsData, shownInPlace: !keepsData, retry });
  }

  private fetchPage(
    { params }: LoadedList,
    { cursor, limit }: Pick<PageRequest, "cursor" | "limit">,
    signal?: AbortSignal,
  ): Promise<EventPage> {
    const cursorParam: QueryParams = cursor === null ? [] : [["cursor", cursor]];
    return this.viewer.client.json<EventPage>("/v1/events", { params: [...params, ["limit", String(limit)], ...cursorParam], signal });
  }
}

/**
 * Whether `next` should replace the running request `current`. It should only if it is a different request, and is in
 * view while `current` is not.
 */
function isMoreUrgent(next: PageRequest | null, current: PageRequest): boolean {
  if (!next?.inView || current.inView) return false;
  return current.page !== next.page || current.kind !== next.kind;
}
