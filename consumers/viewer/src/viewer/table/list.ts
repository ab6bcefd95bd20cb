/** The list that the table shows, with loaded rows, rows in view, the active row, and arriving events. */
import type { TemplateResult } from "lit";

import type { AuditEvent } from "../../api/types.js";
import { isSameEvent, matchesReference } from "../../model/identity.js";
import type { Pages, RowShift } from "../../model/pages.js";
import { DEFAULT_SORT } from "../../model/view.js";
import type { ViewerState } from "../viewer-state.js";
import { rowForKey } from "./key-navigation.js";
import { Loader } from "./loader.js";
import { Rows } from "./rows.js";
import { Viewport } from "./viewport.js";

const PLACEHOLDER_ROWS = 12; // number of placeholders drawn after the known rows if more can be loaded

interface ListHost {
  /** Renders the cells of a row, or placeholders if there is no event. */
  renderRow(event: AuditEvent | undefined): TemplateResult;
  /** Called when something other than the rows has changed. */
  onChange(): void;
  /** Called when rows have arrived. Returns whether drawn rows must be redrawn because relative times have changed. */
  onRows(): boolean;
}

export class List {
  readonly loader: Loader;
  /** The active row, which is moved with the keyboard, or -1. */
  active = -1;
  /** The event whose details are open. */
  openEvent: AuditEvent | null = null;
  /** The number of events that have arrived above the view. */
  newRows = 0;

  private grid: HTMLElement | null = null;
  private viewport: Viewport | null = null;
  private rows: Rows | null = null;
  private height = 1;
  private readonly stream;
  private readonly unsubscribe: () => void;

  constructor(
    private readonly viewer: ViewerState,
    private readonly host: ListHost,
  ) {
    this.loader = new Loader(viewer, (what, moved) => this.onLoaded(what, moved));
    this.stream = viewer.liveStream;
    this.unsubscribe = this.stream.subscribe();
    this.stream.addEventListener("arrived", this.onArrived);
    this.stream.addEventListener("connected", this.onConnected);
  }

  get pages(): Pages {
    return this.loader.pages;
  }

  get atTop(): boolean {
    return this.viewport?.atTop ?? true;
  }

  /** Shows the list in a scrolling element. Its first child is the header, and its second child contains the rows. */
  attach(grid: HTMLElement): void {
    if (this.grid === grid) return;
    this.viewport?.close();
    this.grid = grid;
    this.rows = new Rows(grid.lastElementChild as HTMLElement);
    this.viewport = new Viewport(grid, () => this.paint());
  }

  close(): void {
    this.loader.dispose();
    this.viewport?.close();
    this.stream.removeEventListener("arrived", this.onArrived);
    this.stream.removeEventListener("connected", this.onConnected);
    this.unsubscribe();
  }

  /** Draws the rows. `height` is the height of a row in px. With `redraw`, the content of all rows is rendered again. */
  draw(height: number, redraw: boolean): void {
    this.height = height;
    if (redraw) this.rows?.invalidate();
    this.measure();
    this.paint();
  }

  at(index: number | null): AuditEvent | undefined {
    return index === null ? undefined : this.pages.at(index);
  }

  /** Returns the event for a reference, or null if it is not in memory. */
  find(reference: string): AuditEvent | null {
    const index = reference ? this.pages.find((row) => matchesReference(reference, row)) : -1;
    return index < 0 ? null : (this.pages.at(index) ?? null);
  }

  /** Returns the current version of an event in the list, or null if it is not in memory. */
  current(event: AuditEvent | null): AuditEvent | null {
    const index = event ? this.pages.find((row) => isSameEvent(row, event)) : -1;
    return index < 0 ? null : (this.pages.at(index) ?? null);
  }

  /** Returns the row at a distance of `by` from the open event, or null if that event is not in memory. */
  indexBeside(by: number): number | null {
    const { openEvent } = this;
    const index = openEvent ? this.pages.find((row) => isSameEvent(row, openEvent)) : -1;
    return index >= 0 && this.pages.at(index + by) ? index + by : null;
  }

  deactivate(): void {
    this.active = -1;
    this.paint();
  }

  indexOf(target: EventTarget | null): number {
    return this.rows?.indexOf(target) ?? -1;
  }

  activate(index: number): void {
    this.active = index;
    this.viewport?.reveal(index);
    this.paint();
  }

  /** Handles a key. Returns whether it moves the active row. */
  handleKey(key: string): boolean {
    if (key === "Home" && this.pages.forgottenRows > 0) this.toTop();
    else {
      const to = rowForKey(key, this.active, this.pages.count - 1, this.viewport?.screenful ?? 1);
      if (to === null) return false;
      this.activate(to);
    }
    return true;
  }

  toTop(): void {
    this.newRows = 0;
    if (this.pages.forgottenRows > 0) this.loader.begin(); // the first rows have been dropped from memory
    else this.viewport?.toTop();
    this.active = this.pages.count ? 0 : -1;
    this.host.onChange();
  }

  private onLoaded(what: "list" | "rows" | "state", moved?: RowShift): void {
    if (what === "list") {
      this.active = -1;
      this.newRows = 0;
      this.viewport?.toTop();
    }
    if (what !== "state") {
      this.measure();
      if (moved?.by) this.shift(moved);
      this.rowsChanged();
    }
    this.host.onChange();
  }

  private rowsChanged(): void {
    if (this.host.onRows()) this.rows?.invalidate();
    this.paint();
  }

  private shift({ at, by }: RowShift): void {
    if (this.active >= at) this.active = Math.max(-1, this.active + by);
    if (this.viewport && this.viewport.first >= at) this.viewport.follow(by);
  }

  private readonly onArrived = (event: Event): void => this.insert((event as CustomEvent<AuditEvent[]>).detail);

  /** Inserts events that arrived after the list was loaded and before the stream started. */
  private readonly onConnected = async (): Promise<void> => {
    const newest = await this.loader.newest();
    if (newest) this.insert(newest.toReversed());
  };

  /** Inserts arriving events. If the view is at the top, they push rows down. If it is further down, the rows in view stay in place. */
  private insert(events: readonly AuditEvent[]): void {
    const { pages, viewport } = this;
    if (this.loader.stale || !viewport) return; // the new list will contain them
    const atTop = viewport.atTop;
    let added = 0;
    for (const event of events) {
      const index = pages.insert(event);
      if (index < 0) {
        added += pages.at(0) ? 0 : 1; // the beginning is not in memory, and is loaded again when it is in view
        continue;
      }
      added += 1;
      if (this.active >= index) this.active += 1;
      if (atTop || index > viewport.first) continue;
      this.measure();
      viewport.follow(1);
    }
    if (!added) return;
    this.newRows = atTop ? 0 : this.newRows + added;
    this.measure();
    this.rowsChanged();
    this.host.onChange();
  }

  private get count(): number {
    return this.pages.count + (this.pages.ended || this.pages.paused ? 0 : PLACEHOLDER_ROWS);
  }

  private measure(): void {
    if (!this.grid) return;
    const head = this.grid.firstElementChild as HTMLElement;
    this.grid.style.setProperty("--height", `${this.count * this.height}px`);
    this.viewport?.set(this.count, this.height, head.offsetHeight);
  }

  /** Whether this event is newer than the last visit while the next one in the list is not. */
  private isLastNew(event: AuditEvent, next: AuditEvent | undefined): boolean {
    const since = this.viewer.newSince;
    if (since === null || !next || this.viewer.view.sort !== DEFAULT_SORT) return false;
    return Date.parse(event.occurred_at) > since && Date.parse(next.occurred_at) <= since;
  }

  private paint(): void {
    const { viewport, rows, grid, pages } = this;
    if (!viewport || !rows || !grid) return;
    const [first, last] = viewport.drawn;
    rows.show(first, last, this.height, (index) => {
      const event = pages.at(index);
      return {
        key: event ?? null,
        content: () => this.host.renderRow(event),
        rowIndex: pages.forgottenRows + index + 2,
        selected: event !== undefined && this.openEvent !== null && isSameEvent(event, this.openEvent),
        active: index === this.active,
        loading: event === undefined,
        outdated: this.loader.outdated,
        mark: event && this.isLastNew(event, pages.at(index + 1)) ? this.viewer.text.reading.newSince : "",
      };
    });
    const active = rows.idOf(this.active);
    if (active) grid.setAttribute("aria-activedescendant", active);
    else grid.removeAttribute("aria-activedescendant");
    if (this.newRows && viewport.atTop) {
      this.newRows = 0;
      this.host.onChange();
    }
    this.loader.setVisible(viewport.first, viewport.last);
  }
}
