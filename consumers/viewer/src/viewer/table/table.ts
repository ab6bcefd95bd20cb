import { html, nothing, type PropertyValues, render, type TemplateResult } from "lit";
import { query, state } from "lit/decorators.js";

import type { AuditEvent } from "../../api/types.js";
import { customElement } from "../../elements/define.js";
import {
  type Column,
  gridTracks,
  layoutColumns,
  MAX_WIDTH,
  MIN_WIDTH,
  moveColumn,
  pinnedInsets,
  toggleColumn,
  togglePinned,
  totalWidth,
} from "../../model/columns.js";
import type { Dropdown } from "../../elements/dropdown.js";
import { NarrowController } from "../../elements/narrow.js";
import { baseStyles } from "../../styles/base.js";
import { localeOf } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import type { ViewerState } from "../viewer-state.js";
import { conflictIcon } from "./badges.js";
import { badgesStyles } from "./badges.styles.js";
import { cardHead, cardHeight, renderCard } from "./cards.js";
import { cardsStyles } from "./cards.styles.js";
import { cellContext, type CellContext, renderCell } from "./cells.js";
import { cellsStyles } from "./cells.styles.js";
import { head, type HeadActions } from "./head.js";
import { headStyles } from "./head.styles.js";
import { List } from "./list.js";
import { MinColumnWidths } from "./min-column-widths.js";
import { OpenEvent } from "./open-event.js";
import { printStyles } from "./print.styles.js";
import { printTable } from "./print-table.js";
import { tableOverlay } from "./table-overlay.js";
import { tableStyles } from "./table.styles.js";

const ROW_HEIGHTS = { comfortable: 40, compact: 29 } as const; // px
const CARD_CELLS = 3;
const RELATIVE_TIME_MS = 30_000; // update interval of relative times
const REDRAW_AFTER_MS = 1_000; // relative times need no update within this time

/**
 * @summary Shows the events as rows of a virtual table, and the details of one event.
 *
 * @csspart grid - The scrolling part.
 * @csspart head - The head.
 * @csspart body - The rows.
 * @csspart row - Each row.
 * @csspart cell - Each cell of a row.
 * @csspart head-cell - Each column's head.
 * @csspart details - The details of the open event.
 * @csspart custom - Elements of the host page with this part.
 */
@customElement("auditlane-table")
export class Table extends ViewerElement {
  static override styles = [baseStyles, badgesStyles, headStyles, tableStyles, cellsStyles, cardsStyles, printStyles];

  @state() private openMenu = "";
  /** The width of the column that is being resized. */
  @state() private draggedWidths: Record<string, number> = {};
  @query(".grid") private grid!: HTMLElement;

  private list!: List;
  private openEvent!: OpenEvent;
  private columns: Column[] = [];
  private readonly size = new NarrowController(this);
  private readonly minWidths = new MinColumnWidths(this);
  private cellContext!: CellContext;
  private shownViewer: ViewerState | null = null;
  private listKey = "";
  /** The values on which the content of the rows depends, used to detect changes since the rows were drawn. */
  private rowInputs: readonly unknown[] = [];
  private redraw = true;
  private timer = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("beforeprint", this.onPrint);
    window.addEventListener("afterprint", this.onPrint);
    this.timer = window.setInterval(() => this.requestUpdate(), RELATIVE_TIME_MS);
    this.requestUpdate();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("beforeprint", this.onPrint);
    window.removeEventListener("afterprint", this.onPrint);
    clearInterval(this.timer);
    this.detachViewer();
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    if (this.shownViewer !== this.viewer) this.attachViewer();
    const { viewer } = this;
    const { query: text, range, sort, open } = viewer.view;
    const listKey = JSON.stringify([text.trim(), range, sort, viewer.accessParams, viewer.refreshCount]);
    if (listKey !== this.listKey) this.list.loader.begin();
    this.listKey = listKey;
    const rowInputs = [viewer.fields, viewer.actions, viewer.preferences, viewer.zone, this.draggedWidths, this.text, this.size.narrow, viewer.view.columns, viewer.host, Math.floor(Date.now() / RELATIVE_TIME_MS)];
    this.redraw ||= rowInputs.some((one, index) => one !== this.rowInputs[index]);
    this.rowInputs = rowInputs;
    if (this.redraw) this.updateLayout();
    this.openEvent.open(open, (reference) => this.list.find(reference));
    this.openEvent.update(this.list.current(this.openEvent.event));
    this.list.openEvent = this.openEvent.event;
  }

  protected override render(): TemplateResult {
    const { text, list, openEvent } = this;
    const { pages, stale, busy } = list.loader;
    const whole = pages.ended && pages.forgottenRows === 0 && pages.fromTop;
    const cards = this.size.narrow;
    return html`<div class="frame ${openEvent.reference ? "open" : ""}">
      <div class="main">
        <div
          class="grid ${stale && busy ? "coming" : ""} ${cards ? "cards" : ""}"
          part="grid"
          role="grid"
          tabindex="0"
          aria-label=${text.reading.table}
          aria-busy=${busy}
          aria-colcount=${cards ? CARD_CELLS : this.columns.length}
          aria-rowcount=${whole ? pages.count + 1 : -1}
          @keydown=${this.onKeydown}
          @click=${this.onClick}
        >
          ${cards ? cardHead(this.viewer) : head({ viewer: this.viewer, columns: this.columns, openMenu: this.openMenu, actions: this.actions })}
          <div class="body" role="rowgroup" part="body"></div>
        </div>
        <div class="edge start" aria-hidden="true"></div>
        <div class="edge end" aria-hidden="true"></div>
        ${tableOverlay(this.viewer, list, this.toTop)}
      </div>
      ${openEvent.reference ? this.renderDetails() : nothing}
    </div>
    <div class="print"></div>`;
  }

  protected override updated(): void {
    if (this.redraw) {
      this.grid.style.setProperty("--tracks", gridTracks(this.columns));
      this.grid.style.setProperty("--width", this.size.narrow ? "0px" : `calc(${totalWidth(this.columns)}px + 1rem)`);
      pinnedInsets(this.columns).forEach((inset, index) => this.grid.style.setProperty(`--pin-${index}`, inset));
      this.grid.style.setProperty("--card-lines", this.viewer.density === "compact" ? "1" : "2");
      this.grid.style.setProperty("--row", `${this.height}px`);
    }
    this.list.attach(this.grid);
    this.list.draw(this.height, this.redraw);
    this.redraw = false;
  }

  private renderDetails(): TemplateResult {
    const { openEvent, list } = this;
    void this.viewer.lazyImports.load(() => import("./details.js"));
    return html`<auditlane-details
      part="details"
      exportparts="custom"
      .event=${openEvent.event}
      .problem=${openEvent.problem}
      .above=${list.indexBeside(-1) !== null}
      .below=${list.indexBeside(1) !== null}
      @close=${this.close}
      @retry=${() => openEvent.retry()}
      @step=${(event: CustomEvent<number>) => this.open(list.indexBeside(event.detail))}
    ></auditlane-details>`;
  }

  private get height(): number {
    const { density } = this.viewer;
    return this.size.narrow ? cardHeight(density, Number.parseFloat(getComputedStyle(this).fontSize)) : ROW_HEIGHTS[density];
  }

  /** Updates the columns and the format of cells. */
  private updateLayout(): void {
    const { viewer } = this;
    const { relativeTimes, pinned, widths } = viewer.preferences;
    const { renderCell } = viewer.host;
    this.cellContext = { ...cellContext(this.text, localeOf(viewer), viewer.zone, viewer.actions, relativeTimes), renderCell };
    this.columns = layoutColumns(viewer.columnFields, { columns: viewer.chosenColumns, pinned, widths: { ...widths, ...this.draggedWidths } }, this.minWidths.measure(this.cellContext));
  }

  private onRows(): boolean {
    const now = Date.now();
    const other = Math.abs(now - this.cellContext.now) >= REDRAW_AFTER_MS;
    if (other) this.cellContext = { ...this.cellContext, now };
    return other;
  }

  private renderRow(event: AuditEvent | undefined): TemplateResult {
    const { cellContext } = this;
    if (this.size.narrow) return renderCard(event, cellContext);
    return html`${this.columns.map(
      ({ field, pinned }, index) => html`<div class="cell ${pinned ? "pinned" : ""}" part="cell" role="gridcell">
        ${index === 0 && event?.conflict ? conflictIcon(cellContext.text) : nothing}${event ? renderCell(event, field, cellContext) : nothing}
      </div>`,
    )}`;
  }

  private attachViewer(): void {
    this.detachViewer();
    const { viewer } = this;
    this.shownViewer = viewer;
    this.listKey = "";
    this.rowInputs = [];
    this.list = new List(viewer, {
      renderRow: (event) => this.renderRow(event),
      onChange: () => this.requestUpdate(),
      onRows: () => this.onRows(),
    });
    this.openEvent = new OpenEvent(viewer, () => this.requestUpdate());
  }

  private detachViewer(): void {
    if (!this.shownViewer) return;
    this.list.close();
    this.openEvent.close();
    this.shownViewer = null;
  }

  /** Moves to the next or previous row, and shows the event if details are open. Returns whether there is such a row. */
  move(by: number): boolean {
    const open = this.openEvent.reference !== "";
    const { list } = this;
    const to = open ? list.indexBeside(by) : Math.max(0, list.active + by);
    if (to === null || !list.at(to)) return false;
    if (open) this.open(to);
    else list.activate(to);
    if (!this.holdsFocusInDetails) this.grid.focus();
    return true;
  }

  /** Opens the active row. Returns whether there is one. */
  openActive(): boolean {
    if (!this.list.at(this.list.active)) return false;
    this.open(this.list.active);
    void this.focusDetails();
    return true;
  }

  /** Closes the details or, if they are closed, deactivates the active row. Returns whether either was possible. */
  dismiss(): boolean {
    if (this.openEvent.reference) void this.close();
    else if (this.list.active >= 0) this.list.deactivate();
    else return false;
    return true;
  }

  /** Focuses the rows, or the details if they cover the rows. */
  override focus(options?: FocusOptions): void {
    if (this.grid.checkVisibility()) this.grid.focus(options);
    else void this.focusDetails();
  }

  private get holdsFocusInDetails(): boolean {
    return this.renderRoot.querySelector("auditlane-details:focus-within") !== null;
  }

  /** Draws the printed table, which is not in the page at other times. */
  private readonly onPrint = (event: Event): void => {
    const target = this.renderRoot.querySelector<HTMLElement>(".print");
    if (target) render(event.type === "beforeprint" ? printTable(this.viewer, this.list.pages, this.columns, this.cellContext) : nothing, target);
  };

  private readonly toTop = (): void => {
    this.list.toTop();
    this.grid.focus();
  };

  private readonly onKeydown = (event: KeyboardEvent): void => {
    if (event.target !== this.grid || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") {
      this.open(Math.max(0, this.list.active));
      void this.focusDetails();
    } else if (event.key === "Escape") {
      if (!this.dismiss()) return;
    } else if (!this.list.handleKey(event.key)) return;
    else if (this.openEvent.reference) this.open(this.list.active);
    event.preventDefault();
  };

  private readonly onClick = (event: MouseEvent): void => {
    const index = (event.target as Element).closest("a, button") ? -1 : this.list.indexOf(event.target); // links and buttons of the host
    if (index >= 0 && getSelection()?.type !== "Range") this.open(index); // otherwise, the user is selecting text
  };

  /**
   * Opens the menu of a column again, since moving an element closes its panel. The focus stays on the button, or moves
   * to the opposite one.
   */
  private async reopen(menu: Dropdown, name: string, by: number, pressed: HTMLButtonElement): Promise<void> {
    this.openMenu = name;
    await menu.show();
    const other = by < 0 ? pressed.nextElementSibling : pressed.previousElementSibling;
    (pressed.disabled ? (other as HTMLElement | null) : pressed)?.focus({ preventScroll: true });
  }

  private open(index: number | null): void {
    const event = this.list.at(index);
    if (!event || index === null || this.list.loader.outdated) return;
    this.list.activate(index);
    const shown = new CustomEvent("auditlane-open", { detail: { event }, bubbles: true, composed: true, cancelable: true });
    if (!this.dispatchEvent(shown)) return; // the host itself shows the event
    this.openEvent.set(event);
    this.requestUpdate(); // setView() changes nothing if the previous event has the same reference, as two conflicting events do
    this.viewer.setView({ open: this.openEvent.reference });
    void this.updateComplete.then(() => {
      if (this.openEvent.reference && !this.grid.checkVisibility() && !this.holdsFocusInDetails) void this.focusDetails();
    });
  }

  private async focusDetails(): Promise<void> {
    if (!(await this.viewer.lazyImports.load(() => import("./details.js")))) return;
    await this.updateComplete;
    this.renderRoot.querySelector<HTMLElement>("auditlane-details")?.focus();
  }

  private readonly close = async (): Promise<void> => {
    this.viewer.setView({ open: "" });
    await this.updateComplete; // the details may have covered the rows
    this.grid.focus();
  };

  private readonly actions: HeadActions = {
    sort: (parameter, descending) => this.viewer.setView({ sort: `${descending ? "-" : ""}${parameter}`, live: false }),
    move: (name, by, pressed) => {
      const menu = pressed.closest("auditlane-dropdown");
      this.viewer.setPreferences({ columns: moveColumn(this.viewer.columnNames, name, by) });
      void this.updateComplete.then(() => menu && this.reopen(menu, name, by, pressed));
    },
    pin: (name) => this.viewer.setPreferences(togglePinned(this.viewer.columnNames, this.viewer.preferences.pinned, name)),
    hide: (name) => this.viewer.setPreferences({ columns: toggleColumn(this.viewer.columnFields, this.viewer.columnNames, name) }),
    setWidth: (name, px, done) => {
      const width = Math.round(Math.max(MIN_WIDTH, Math.min(MAX_WIDTH, px)));
      this.draggedWidths = done ? {} : { [name]: width };
      if (done) this.viewer.setPreferences({ widths: { ...this.viewer.preferences.widths, [name]: width } });
    },
    openMenu: (name) => {
      this.openMenu = name;
      if (name) void this.viewer.lazyImports.load(() => import("../search/facet-list.js"));
    },
  };
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-table": Table;
  }
}
