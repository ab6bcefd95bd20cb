/** `<auditlane-table>`: the events as rows, however many there are, and the details of one. */
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";

import type { AuditEvent } from "../../api/types.js";
import { late } from "../../elements/lazy-import.js";
import { type Column, layoutColumns, shownColumns, moveColumn, MIN_WIDTH, toggleColumn, gridTracks, MAX_WIDTH, totalWidth } from "../../model/columns.js";
import { base } from "../../styles/base.js";
import type { ViewerState } from "../viewer-state.js";
import { ViewerElement } from "../viewer-element.js";
import { localeOf } from "../describe.js";
import { cellStyles } from "./cells.styles.js";
import { cell, type Reading, readingIn } from "./cells.js";
import { head, type HeadActs } from "./head.js";
import { headStyles } from "./head.styles.js";
import { List } from "./list.js";
import { conflictSign, markStyles } from "./badges.js";
import { neededIn } from "./min-column-widths.js";
import { notes } from "./table-overlay.js";
import { Opened } from "./open-event.js";
import { tableStyles } from "./table.styles.js";

const HEIGHTS = { comfortable: 40, compact: 29 } as const; // px
const TICK_MS = 30_000; // "3 minutes ago" is as old as that at most
const STILL_NOW_MS = 1_000; // what says "2 seconds ago" need not be drawn anew within it

@customElement("auditlane-table")
export class Table extends ViewerElement {
  static override styles = [base, markStyles, headStyles, tableStyles, cellStyles];

  @state() private menu = "";
  /** Of the column whose edge is being drawn. */
  @state() private trying: Record<string, number> = {};
  @query(".grid") private grid!: HTMLElement;

  private list!: List;
  private opened!: Opened;
  private columns: Column[] = [];
  private reading!: Reading;
  private of: ViewerState | null = null;
  private looked = "";
  /** What the rows are drawn by, and whether that is other than when they were drawn last. */
  private drawnBy: readonly unknown[] = [];
  private anew = true;
  private ticking = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    this.ticking = window.setInterval(() => this.requestUpdate(), TICK_MS);
    this.requestUpdate();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearInterval(this.ticking);
    this.leave();
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    if (this.of !== this.viewer) this.enter();
    const { viewer } = this;
    const { query: text, range, sort, open } = viewer.view;
    const looked = JSON.stringify([text.trim(), range, sort, viewer.refreshCount]);
    if (looked !== this.looked) this.list.loader.begin();
    this.looked = looked;
    const by = [viewer.fields, viewer.preferences, viewer.zone, this.trying, this.text, Math.floor(Date.now() / TICK_MS)];
    this.anew ||= by.some((one, place) => one !== this.drawnBy[place]);
    this.drawnBy = by;
    if (this.anew) this.read();
    this.opened.look(open, (reference) => this.list.find(reference));
    this.opened.renew(this.list.now(this.opened.event));
    this.list.chosen = this.opened.event;
  }

  protected override render(): TemplateResult {
    const { text, list, opened } = this;
    const { pages, stale, busy } = list.loader;
    const whole = pages.ended && pages.forgottenRows === 0 && pages.fromTop;
    return html`<div class="frame ${opened.reference ? "open" : ""}">
      <div class="main">
        <div
          class="grid ${stale && busy ? "coming" : ""}"
          part="grid"
          role="grid"
          tabindex="0"
          aria-label=${text.reading.table}
          aria-busy=${busy}
          aria-colcount=${this.columns.length}
          aria-rowcount=${whole ? pages.count + 1 : -1}
          @keydown=${this.key}
          @click=${this.pressed}
        >
          ${head(this.viewer, this.columns, this.menu, this.acts)}
          <div class="body" role="rowgroup" part="body"></div>
        </div>
        <div class="edge start" aria-hidden="true"></div>
        <div class="edge end" aria-hidden="true"></div>
        ${notes(this.viewer, list, this.toTop)}
      </div>
      ${opened.reference ? this.details() : nothing}
    </div>`;
  }

  protected override updated(): void {
    if (this.anew) {
      this.grid.style.setProperty("--tracks", gridTracks(this.columns));
      this.grid.style.setProperty("--width", `calc(${totalWidth(this.columns)}px + 1rem)`);
      this.grid.style.setProperty("--row", `${this.height}px`);
    }
    this.list.attach(this.grid);
    this.list.draw(this.height, this.anew);
    this.anew = false;
  }

  private details(): TemplateResult {
    const { opened, list } = this;
    void late.load(() => import("./details.js"));
    return html`<auditlane-details
      part="details"
      .event=${opened.event}
      .problem=${opened.problem}
      .above=${list.beside(-1) !== null}
      .below=${list.beside(1) !== null}
      @close=${this.close}
      @retry=${() => opened.again()}
      @step=${(event: CustomEvent<number>) => this.open(list.beside(event.detail))}
    ></auditlane-details>`;
  }

  private get height(): number {
    return HEIGHTS[this.viewer.preferences.density];
  }

  /** How events are read from now on. */
  private read(): void {
    const { viewer } = this;
    const { columns, widths } = viewer.preferences;
    this.reading = readingIn(this.text, localeOf(viewer), viewer.zone);
    this.columns = layoutColumns(viewer.fields, { columns, widths: { ...widths, ...this.trying } }, neededIn(this, this.reading));
  }

  private came(): boolean {
    const now = Date.now();
    const other = Math.abs(now - this.reading.now) >= STILL_NOW_MS;
    if (other) this.reading = { ...this.reading, now };
    return other;
  }

  private row(event: AuditEvent | undefined): TemplateResult {
    const { reading } = this;
    return html`${this.columns.map(
      ({ field }, place) => html`<div class="cell" role="gridcell">
        ${place === 0 && event?.conflict ? conflictSign(reading.text) : nothing}${event ? cell(event, field, reading) : nothing}
      </div>`,
    )}`;
  }

  private enter(): void {
    this.leave();
    const { viewer } = this;
    [this.of, this.looked, this.drawnBy] = [viewer, "", []];
    this.list = new List(viewer, {
      row: (event) => this.row(event),
      changed: () => this.requestUpdate(),
      came: () => this.came(),
    });
    this.opened = new Opened(viewer, () => this.requestUpdate());
  }

  private leave(): void {
    if (!this.of) return;
    this.list.close();
    this.opened.close();
    this.of = null;
  }

  private readonly toTop = (): void => {
    this.list.toTop();
    this.grid.focus();
  };

  private readonly key = (event: KeyboardEvent): void => {
    if (event.target !== this.grid || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") {
      this.open(Math.max(0, this.list.active));
      void this.toDetails();
    } else if (event.key === "Escape" && this.opened.reference) this.close();
    else if (!this.list.key(event.key)) return;
    event.preventDefault();
  };

  private readonly pressed = (event: MouseEvent): void => {
    const index = this.list.indexOf(event.target);
    if (index >= 0 && getSelection()?.type !== "Range") this.open(index); // else text is being marked
  };

  private open(index: number | null): void {
    const event = this.list.at(index);
    if (!event || index === null || this.list.loader.other) return;
    this.list.activate(index);
    this.opened.take(event);
    this.requestUpdate(); // the address may say of both what it said of the one before
    this.viewer.setView({ open: this.opened.reference });
  }

  private async toDetails(): Promise<void> {
    if (!(await late.load(() => import("./details.js")))) return;
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("auditlane-details")?.focus();
  }

  private readonly close = (): void => {
    this.viewer.setView({ open: "" });
    this.grid.focus();
  };

  private readonly acts: HeadActs = {
    sort: (parameter, descending) => this.viewer.setView({ sort: `${descending ? "-" : ""}${parameter}`, live: false }),
    move: (name, by) => this.viewer.setPreferences({ columns: moveColumn(this.names, name, by) }),
    hide: (name) => this.viewer.setPreferences({ columns: toggleColumn(this.viewer.fields, this.names, name) }),
    width: (name, px, done) => {
      const width = Math.round(Math.max(MIN_WIDTH, Math.min(MAX_WIDTH, px)));
      this.trying = done ? {} : { [name]: width };
      if (done) this.viewer.setPreferences({ widths: { ...this.viewer.preferences.widths, [name]: width } });
    },
    menu: (name) => {
      this.menu = name;
      if (name) void late.load(() => import("../search/facet.js"));
    },
  };

  private get names(): string[] {
    return shownColumns(this.viewer.fields, this.viewer.preferences.columns);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-table": Table;
  }
}
