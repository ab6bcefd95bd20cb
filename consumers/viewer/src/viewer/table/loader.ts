/** Asks for the pages that the view needs, one at a time, and gives up those that nobody looks at any more. */
import type { Pairs } from "../../api/client.js";
import { Problem } from "../../api/problem.js";
import type { AuditEvent, EventPage } from "../../api/types.js";
import { type Ask, FIRST, type Moved, Pages } from "../../model/pages.js";
import { listed } from "../ahead.js";
import type { Log } from "../log.js";

const SLOW_MS = 2_000;

/** `told("list")`: another list is shown, from its top; `told("rows", moved)`; `told("state")`. */
type Told = (what: "list" | "rows" | "state", moved?: Moved) => void;

export class Loader {
  /** What is shown. Of the list before while the first page of another is awaited. */
  pages = new Pages();
  problem: Problem | null = null;
  cancelled = false;
  /** A request that somebody waits for takes long. */
  slow = false;

  private coming: Pages | null = null;
  private pairs: Pairs = [];
  private asking: { ask: Ask; stop: AbortController } | null = null;
  private view: readonly [number, number] = [0, 0];
  private timer = 0;

  constructor(
    private readonly log: Log,
    private readonly told: Told,
  ) {}

  /** Whether what is shown is not what is looked at. */
  get stale(): boolean {
    return this.coming !== null;
  }

  get busy(): boolean {
    return this.asking !== null && (this.stale || this.asking.ask.seen);
  }

  /** The list that is looked at now, from its beginning. */
  begin(): void {
    this.close();
    this.pairs = listed(this.log.filter(), this.log.view.sort);
    this.coming = new Pages();
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
    this.problem = null;
    this.cancelled = false;
    this.next();
  }

  cancel(): void {
    this.close();
    this.cancelled = true;
    this.told("state");
  }

  close(): void {
    this.asking?.stop.abort();
    this.asking = null;
    clearTimeout(this.timer);
    this.slow = false;
  }

  /** The newest events of this list, however many pages are known; null when there is no answer. */
  async newest(): Promise<AuditEvent[] | null> {
    const pairs = this.pairs;
    const found = await this.page({ cursor: null, limit: FIRST }).catch(() => null);
    return pairs === this.pairs && !this.coming ? (found?.data ?? null) : null;
  }

  private next(): void {
    if (this.problem || this.cancelled) return;
    const [first, last] = this.coming ? [0, 0] : this.view;
    const ask = (this.coming ?? this.pages).wanted(first, last);
    const now = this.asking;
    if (!now && !ask) return;
    if (now && (!ask || !ask.seen || now.ask.seen || (now.ask.page === ask.page && now.ask.kind === ask.kind))) {
      if (now && ask?.seen && now.ask.page === ask.page) now.ask.seen = true;
      return;
    }
    this.close();
    if (ask) void this.fetch(ask);
    this.told("state");
  }

  private async fetch(ask: Ask): Promise<void> {
    const stop = new AbortController();
    const asking = (this.asking = { ask, stop });
    this.timer = window.setTimeout(() => {
      this.slow = true;
      this.told("state");
    }, SLOW_MS);
    try {
      const ahead = this.coming ? await this.log.ahead.take(this.pairs) : null;
      const answer = ahead ?? (await this.page(ask, stop.signal));
      if (this.asking !== asking) return;
      this.close();
      this.take(ask, answer);
    } catch (cause) {
      const problem = Problem.of(cause);
      if (this.asking !== asking || problem.aborted) return;
      this.close();
      this.problem = problem;
      this.told("state");
      return;
    }
    this.next();
  }

  private take(ask: Ask, answer: EventPage): void {
    if (this.coming) {
      [this.pages, this.coming] = [this.coming, null];
      this.pages.take(ask, answer);
      this.view = [0, 0];
      this.told("list");
      return;
    }
    this.shift(this.pages.take(ask, answer));
    this.shift(this.pages.trim(...this.view));
  }

  private shift(moved: Moved): void {
    const [first, last] = this.view;
    if (first >= moved.at) this.view = [Math.max(0, first + moved.by), Math.max(0, last + moved.by)];
    this.told("rows", moved);
  }

  private page({ cursor, limit }: Pick<Ask, "cursor" | "limit">, signal?: AbortSignal): Promise<EventPage> {
    const place: Pairs = cursor === null ? [] : [["cursor", cursor]];
    return this.log.client.json<EventPage>("/v1/events", { pairs: [...this.pairs, ["limit", String(limit)], ...place], signal });
  }
}
