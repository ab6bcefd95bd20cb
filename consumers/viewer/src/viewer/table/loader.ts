/** Asks for the pages that the view needs, one at a time, and gives up those that nobody looks at any more. */
import type { QueryParams } from "../../api/client.js";
import { Problem } from "../../api/problem.js";
import type { AuditEvent, EventPage } from "../../api/types.js";
import { type PageRequest, FIRST_PAGE_SIZE, type RowShift, Pages } from "../../model/pages.js";
import { listParams } from "../prefetch.js";
import type { ViewerState } from "../viewer-state.js";

const SLOW_MS = 2_000;

/** A list: what was asked for, and the pages that came. */
interface Listed {
  /** The question: the same at another time is the same. */
  about: string;
  pairs: QueryParams;
  pages: Pages;
}

/** `told("list")`: another list is shown, from its top; `told("rows", moved)`; `told("state")`. */
type Told = (what: "list" | "rows" | "state", moved?: RowShift) => void;

export class Loader {
  /** Why what is missing could not be had. What was only asked for again is no problem of the list: it stays as it was. */
  problem: Problem | null = null;
  cancelled = false;
  /** A request that somebody waits for takes long. */
  slow = false;

  /** The list before while the first page of another is awaited. */
  private shown: Listed = { about: "", pairs: [], pages: new Pages() };
  private coming: Listed | null = null;
  private asking: { ask: PageRequest; stop: AbortController } | null = null;
  private view: readonly [number, number] = [0, 0];
  private timer = 0;

  constructor(
    private readonly viewer: ViewerState,
    private readonly told: Told,
  ) {}

  get pages(): Pages {
    return this.shown.pages;
  }

  /** Whether the list that is looked at has not come. */
  get stale(): boolean {
    return this.coming !== null;
  }

  /** Whether what is shown answers another question than what is looked at. */
  get other(): boolean {
    return this.coming !== null && this.coming.about !== this.shown.about;
  }

  get busy(): boolean {
    return this.asking !== null && (this.stale || this.asking.ask.inView);
  }

  /** The list that is looked at now, from its beginning. */
  begin(): void {
    this.close();
    const { query, range, sort } = this.viewer.view;
    const about = JSON.stringify([query.trim(), range, sort]);
    this.coming = { about, pairs: listParams(this.viewer.filter(), sort), pages: new Pages() };
    this.cancelled = false;
    this.problem = null;
    this.next();
  }

  /** Rows `first` to `last` are in view. */
  look(first: number, last: number): void {
    this.view = [first, last];
    if (!this.coming) this.next();
  }

  retry(): void {
    if (this.coming) return this.begin();
    this.problem = null;
    this.cancelled = false;
    this.next();
  }

  cancel(): void {
    this.close();
    if (this.coming && !this.other) this.coming = null;
    else this.cancelled = true;
    this.failed(null);
    this.told("state");
  }

  /** Nobody waits for anything any more. */
  end(): void {
    this.close();
    this.failed(null);
  }

  close(): void {
    this.asking?.stop.abort();
    this.asking = null;
    clearTimeout(this.timer);
    this.slow = false;
  }

  /** The newest events of this list, however many pages are known; null when there is no answer. */
  async newest(): Promise<AuditEvent[] | null> {
    const { shown } = this;
    const found = await this.page(shown, { cursor: null, limit: FIRST_PAGE_SIZE }).catch(() => null);
    return shown === this.shown && !this.coming ? (found?.data ?? null) : null;
  }

  private next(): void {
    if (this.problem || this.cancelled) return;
    const [first, last] = this.coming ? [0, 0] : this.view;
    const ask = (this.coming ?? this.shown).pages.nextRequest(first, last);
    const now = this.asking;
    if (!now && !ask) return;
    if (now && (!ask || !ask.inView || now.ask.inView || (now.ask.page === ask.page && now.ask.kind === ask.kind))) {
      if (now && ask?.inView && now.ask.page === ask.page) now.ask.inView = true;
      return;
    }
    this.close();
    if (ask) void this.fetch(ask);
    this.told("state");
  }

  private async fetch(ask: PageRequest): Promise<void> {
    const stop = new AbortController();
    const asking = (this.asking = { ask, stop });
    this.timer = window.setTimeout(() => {
      this.slow = true;
      this.told("state");
    }, SLOW_MS);
    try {
      const ahead = this.coming ? await this.viewer.prefetch.take(this.coming.pairs) : null;
      if (this.asking !== asking) return;
      const answer = ahead ?? (await this.page(this.coming ?? this.shown, ask, stop.signal));
      if (this.asking !== asking) return;
      this.close();
      this.failed(null);
      this.take(ask, answer);
    } catch (cause) {
      const problem = Problem.from(cause);
      if (this.asking !== asking || problem.aborted) return;
      this.close();
      const kept = this.coming !== null && !this.other;
      if (kept) this.coming = null;
      else this.problem = problem;
      this.failed(problem, kept);
      this.told("state");
      return;
    }
    this.next();
  }

  private take(ask: PageRequest, answer: EventPage): void {
    if (this.coming) {
      [this.shown, this.coming] = [this.coming, null];
      this.pages.accept(ask, answer);
      this.view = [0, 0];
      this.told("list");
      return;
    }
    this.shift(this.pages.accept(ask, answer));
    this.shift(this.pages.trim(...this.view));
  }

  private shift(moved: RowShift): void {
    const [first, last] = this.view;
    if (first >= moved.at) this.view = [Math.max(0, first + moved.by), Math.max(0, last + moved.by)];
    this.told("rows", moved);
  }

  /** `keepsData`: the list before, of the same, is still there. */
  private failed(problem: Problem | null, keepsData = false): void {
    const retry = (): void => (keepsData ? this.begin() : this.retry());
    this.viewer.failures.set(this, problem && { problem, keepsData, shownInPlace: !keepsData, retry });
  }

  private page({ pairs }: Listed, { cursor, limit }: Pick<PageRequest, "cursor" | "limit">, signal?: AbortSignal): Promise<EventPage> {
    const place: QueryParams = cursor === null ? [] : [["cursor", cursor]];
    return this.viewer.client.json<EventPage>("/v1/events", { params: [...pairs, ["limit", String(limit)], ...place], signal });
  }
}
