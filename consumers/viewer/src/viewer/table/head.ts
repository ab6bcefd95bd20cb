/** Renders the table's head: the columns, with sort buttons, menus and grips. */
import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";

import "../../elements/dropdown.js";
import type { Texts } from "../../i18n/en/index.js";
import { type Column, MAX_WIDTH, MIN_WIDTH } from "../../model/columns.js";
import { isCountable, queryFields } from "../../model/query-fields.js";
import type { ViewerState } from "../viewer-state.js";

export interface HeadActions {
  sort(parameter: string, descending: boolean): void;
  move(name: string, by: number): void;
  hide(name: string): void;
  /** Sets a width; `done` stores it. */
  setWidth(name: string, px: number, done: boolean): void;
  /** Reports the column whose menu is open; "" for none. */
  openMenu(name: string): void;
}

const WIDTH_STEP = 32; // px

export function head(viewer: ViewerState, columns: readonly Column[], open: string, actions: HeadActions): TemplateResult {
  const known = queryFields(viewer.fields, viewer.text.search.fields);
  const filterable = new Set(known.filter((field) => field.filterable && isCountable(field.kind)).map((field) => field.parameter));
  return html`<div class="head" role="rowgroup" part="head">
    <div class="names" role="row" aria-rowindex="1">
      ${columns.map((column, index) => columnHeader(viewer, column, index, columns.length, filterable.has(column.field.parameter), open, actions))}
    </div>
  </div>`;
}

function columnHeader(viewer: ViewerState, column: Column, index: number, count: number, filterable: boolean, open: string, actions: HeadActions): TemplateResult {
  const { field } = column;
  const texts = viewer.text.reading.column;
  const sorted = viewer.view.sort.replace(/^-/, "") === field.parameter;
  const down = viewer.view.sort.startsWith("-");
  const time = field.displayType === "Timestamp";
  const name = html`<bdi class="name">${field.displayName}</bdi>`;
  return html`<div
    class="column"
    role="columnheader"
    aria-colindex=${index + 1}
    aria-sort=${sorted ? (down ? "descending" : "ascending") : field.sortable ? "none" : nothing}
  >
    ${field.sortable
      ? html`<button
          class="quiet sort"
          title=${texts.sortBy(field.displayName)}
          @click=${() => actions.sort(field.parameter, sorted ? !down : time)}
        >
          ${name}${sorted ? sortIcon(down) : nothing}
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
      ${open === field.name ? menu(texts, column, index, count, filterable, actions) : nothing}
    </auditlane-dropdown>
    <span class="grip" aria-hidden="true" @pointerdown=${(event: PointerEvent) => drag(event, field.name, actions)}></span>
  </div>`;
}

function menu(
  texts: Texts["reading"]["column"],
  { field, width }: Column,
  index: number,
  count: number,
  filterable: boolean,
  actions: HeadActions,
): TemplateResult {
  const time = field.displayType === "Timestamp";
  const item = (label: string, act: () => void, off = false): TemplateResult =>
    html`<button class="quiet" ?disabled=${live(off)} @click=${act}>${label}</button>`;
  const then = (act: () => void) => (event: Event): void => (closeMenu(event), act());
  return html`<div class="menu">
    ${field.sortable
      ? html`<div role="group" aria-label=${texts.order}>
          ${item(time ? texts.oldest : texts.ascending, () => actions.sort(field.parameter, false))}
          ${item(time ? texts.newest : texts.descending, () => actions.sort(field.parameter, true))}
        </div>`
      : nothing}
    <div role="group" aria-label=${texts.look}>
      ${item(texts.earlier, () => actions.move(field.name, -1), index === 0)}
      ${item(texts.later, () => actions.move(field.name, 1), index === count - 1)}
      ${item(texts.wider, () => actions.setWidth(field.name, width + WIDTH_STEP, true), width >= MAX_WIDTH)}
      ${item(texts.narrower, () => actions.setWidth(field.name, width - WIDTH_STEP, true), width <= MIN_WIDTH)}
      <button class="quiet" ?disabled=${count === 1} @click=${then(() => actions.hide(field.name))}>${texts.hide}</button>
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

/** Lets the width follow the pointer; mirrored in right-to-left pages. */
function drag(event: PointerEvent, name: string, actions: HeadActions): void {
  const grip = event.currentTarget as HTMLElement;
  const column = grip.parentElement as HTMLElement;
  const from = event.clientX;
  const width = column.offsetWidth;
  const way = getComputedStyle(column).direction === "rtl" ? -1 : 1;
  const now = (at: PointerEvent): number => width + way * (at.clientX - from);
  const move = (at: PointerEvent): void => actions.setWidth(name, now(at), false);
  const stop = (at: PointerEvent): void => {
    grip.removeEventListener("pointermove", move);
    actions.setWidth(name, now(at), true);
  };
  event.preventDefault();
  grip.setPointerCapture(event.pointerId);
  grip.addEventListener("pointermove", move);
  grip.addEventListener("lostpointercapture", (end) => stop(end as PointerEvent), { once: true });
}

function sortIcon(down: boolean): TemplateResult {
  return html`<svg class="icon" aria-hidden="true" viewBox="0 0 16 16"><path d=${down ? "M8 3v10M4 9l4 4 4-4" : "M8 13V3M4 7l4-4 4 4"}></path></svg>`;
}

function menuIcon(): TemplateResult {
  return html`<svg class="icon" aria-hidden="true" viewBox="0 0 16 16"><path d="M4 6.5l4 4 4-4"></path></svg>`;
}
