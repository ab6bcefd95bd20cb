/** Renders the header of the table: the columns with sort buttons, menus and resize handles. */
import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";

import "../../elements/dropdown.js";
import { type Column, MAX_PINNED, MAX_WIDTH, MIN_WIDTH, movesOf } from "../../model/columns.js";
import { isCountable, queryFields } from "../../model/query-fields.js";
import type { ViewerState } from "../viewer-state.js";

export interface HeadActions {
  sort(parameter: string, descending: boolean): void;
  /** Moves a column. `pressed` is the button that keeps the focus. */
  move(name: string, by: number, pressed: HTMLButtonElement): void;
  /** Pins or unpins a column. */
  pin(name: string): void;
  hide(name: string): void;
  /** Sets a width, and stores it if `done` is true. */
  setWidth(name: string, px: number, done: boolean): void;
  /** Reports the column whose menu is open, or "". */
  openMenu(name: string): void;
}

export interface HeadState {
  viewer: ViewerState;
  columns: readonly Column[];
  /** The column whose menu is open, or "". */
  openMenu: string;
  actions: HeadActions;
}

const WIDTH_STEP = 32; // px

export function head(state: HeadState): TemplateResult {
  const { viewer, columns } = state;
  const fields = queryFields(viewer.fields, viewer.text.search.fields).filter((field) => field.filterable && isCountable(field.kind));
  const filterable = new Set(fields.map((field) => field.parameter));
  return html`<div class="head" role="rowgroup" part="head">
    <div class="names" role="row" aria-rowindex="1">
      ${repeat(
        columns,
        ({ field }) => field.name,
        (column, index) => columnHeader(state, column, index, filterable.has(column.field.parameter)),
      )}
    </div>
  </div>`;
}

function columnHeader(state: HeadState, column: Column, index: number, filterable: boolean): TemplateResult {
  const { viewer, actions, openMenu } = state;
  const { field } = column;
  const texts = viewer.text.reading.column;
  const sorted = viewer.view.sort.replace(/^-/, "") === field.parameter;
  const descending = viewer.view.sort.startsWith("-");
  const time = field.displayType === "Timestamp";
  const name = html`<bdi class="name">${field.displayName}</bdi>`;
  return html`<div
    class="column ${column.pinned ? "pinned" : ""}"
    part="head-cell"
    role="columnheader"
    aria-colindex=${index + 1}
    aria-sort=${sorted ? (descending ? "descending" : "ascending") : field.sortable ? "none" : nothing}
  >
    ${field.sortable
      ? html`<button
          class="quiet sort"
          title=${texts.sortBy(field.displayName)}
          @click=${() => actions.sort(field.parameter, sorted ? !descending : time)}
        >
          ${name}${sorted ? sortIcon(descending) : nothing}
        </button>`
      : name}
    <auditlane-dropdown
      quiet
      .label=${texts.menu(field.displayName)}
      .name=${texts.menu(field.displayName)}
      @opened=${() => actions.openMenu(field.name)}
      @closed=${() => actions.openMenu("")}
      @done=${closeMenu}
    >
      <span slot="button" class="dots">${menuIcon()}</span>
      ${openMenu === field.name ? menu(state, column, filterable) : nothing}
    </auditlane-dropdown>
    <span class="grip" aria-hidden="true" @pointerdown=${(event: PointerEvent) => drag(event, field.name, actions)}></span>
  </div>`;
}

function menu(state: HeadState, { field, width, pinned }: Column, filterable: boolean): TemplateResult {
  const { actions } = state;
  const texts = state.viewer.text.reading.column;
  const count = state.columns.length;
  const { columnNames, preferences } = state.viewer;
  const moves = movesOf(columnNames, preferences.pinned, field.name);
  const full = !pinned && state.columns[MAX_PINNED - 1]?.pinned === true;
  const time = field.displayType === "Timestamp";
  const item = (label: string, action: (event: Event) => void, disabled = false): TemplateResult =>
    html`<button class="quiet" ?disabled=${live(disabled)} @click=${action}>${label}</button>`;
  const mover = (by: number) => (event: Event): void => actions.move(field.name, by, event.currentTarget as HTMLButtonElement);
  const closing = (action: () => void) => (event: Event): void => {
    closeMenu(event);
    action();
  };
  return html`<div class="menu">
    ${field.sortable
      ? html`<div role="group" aria-label=${texts.order}>
          ${item(time ? texts.oldest : texts.ascending, () => actions.sort(field.parameter, false))}
          ${item(time ? texts.newest : texts.descending, () => actions.sort(field.parameter, true))}
        </div>`
      : nothing}
    <div role="group" aria-label=${texts.look}>
      ${item(texts.earlier, mover(-1), moves.earlier === 0)}
      ${item(texts.later, mover(1), moves.later === 0)}
      ${item(texts.wider, () => actions.setWidth(field.name, width + WIDTH_STEP, true), width >= MAX_WIDTH)}
      ${item(texts.narrower, () => actions.setWidth(field.name, width - WIDTH_STEP, true), width <= MIN_WIDTH)}
      <button class="quiet" ?disabled=${live(full)} @click=${closing(() => actions.pin(field.name))}>${pinned ? texts.release : texts.pin}</button>
      <button class="quiet" ?disabled=${count === 1} @click=${closing(() => actions.hide(field.name))}>${texts.hide}</button>
    </div>
    ${filterable
      ? html`<div class="filter">
          <h3>${texts.filter}</h3>
          <auditlane-facet parameter=${field.parameter}></auditlane-facet>
        </div>`
      : nothing}
  </div>`;
}

function closeMenu(event: Event): void {
  (event.currentTarget as Element).closest("auditlane-dropdown")?.close();
}

/** Makes the width follow the pointer, mirrored in right-to-left pages. */
function drag(event: PointerEvent, name: string, actions: HeadActions): void {
  const grip = event.currentTarget as HTMLElement;
  const column = grip.parentElement as HTMLElement;
  const startX = event.clientX;
  const startWidth = column.offsetWidth;
  const direction = getComputedStyle(column).direction === "rtl" ? -1 : 1;
  const widthAt = ({ clientX }: PointerEvent): number => startWidth + direction * (clientX - startX);
  const onMove = (move: PointerEvent): void => actions.setWidth(name, widthAt(move), false);
  const onEnd = (end: PointerEvent): void => {
    grip.removeEventListener("pointermove", onMove);
    actions.setWidth(name, widthAt(end), true);
  };
  event.preventDefault();
  grip.setPointerCapture(event.pointerId);
  grip.addEventListener("pointermove", onMove);
  grip.addEventListener("lostpointercapture", (end) => onEnd(end as PointerEvent), { once: true });
}

function sortIcon(descending: boolean): TemplateResult {
  const path = descending ? "M8 3v10M4 9l4 4 4-4" : "M8 13V3M4 7l4-4 4 4";
  return html`<svg class="icon" aria-hidden="true" viewBox="0 0 16 16"><path d=${path}></path></svg>`;
}

function menuIcon(): TemplateResult {
  return html`<svg class="icon" aria-hidden="true" viewBox="0 0 16 16"><path d="M4 6.5l4 4 4-4"></path></svg>`;
}
