/** Draws the rows in view with a pool of elements, so that no element is created while the table scrolls. */
import { render, type TemplateResult } from "lit";

export interface RowContent {
  /** Identifies the content. A row with an unchanged key is not rendered again. */
  key: unknown;
  content: () => TemplateResult;
  /** The `aria-rowindex`, counted from 1 for the header. */
  rowIndex: number;
  selected: boolean;
  active: boolean;
  loading: boolean;
  /** Whether the row belongs to a previous query. */
  outdated: boolean;
  /** The text at the end of the row if it is the last event that is new since the last visit, or "". */
  mark: string;
}

interface Row {
  element: HTMLElement;
  index: number;
  key: unknown;
}

const MAX_FREE_ROWS = 24;
const UNDRAWN = Symbol();

export class Rows {
  private shown: Row[] = [];
  private free: Row[] = [];
  private height = 0;
  private built = 0;

  constructor(private readonly body: HTMLElement) {
    body.replaceChildren(); // removes the rows of another list
  }

  /** Shows the rows `first` to `last`, each of which is `height` px high. */
  show(first: number, last: number, height: number, draw: (index: number) => RowContent): void {
    const kept = new Map<number, Row>();
    const down = first >= (this.shown[0]?.index ?? 0);
    for (const row of this.shown) {
      if (row.index >= first && row.index <= last) kept.set(row.index, row);
      else this.free.push(row);
    }
    const wanted: Row[] = [];
    for (let index = first; index <= last; index++) {
      const row = kept.get(index) ?? this.free.pop() ?? this.build();
      if (row.index !== index || this.height !== height) {
        row.element.style.transform = `translateY(${index * height}px)`;
        row.index = index;
      }
      this.draw(row, draw(index));
      wanted.push(row);
    }
    this.height = height;
    this.arrange(wanted, down);
    for (const row of this.free) row.element.remove();
    this.free.length = Math.min(this.free.length, MAX_FREE_ROWS);
    this.shown = wanted;
  }

  /** Marks all rows to be rendered again. */
  invalidate(): void {
    for (const row of [...this.shown, ...this.free]) row.key = UNDRAWN;
  }

  /** Returns the id of a row element, for `aria-activedescendant`, or "" if the row is not drawn. */
  idOf(index: number): string {
    return this.shown.find((row) => row.index === index)?.element.id ?? "";
  }

  indexOf(target: EventTarget | null): number {
    const element = target instanceof Element ? target.closest(".row") : null;
    return this.shown.find((row) => row.element === element)?.index ?? -1;
  }

  private draw(row: Row, drawn: RowContent): void {
    const { element } = row;
    if (row.key !== drawn.key) render(drawn.content(), element);
    row.key = drawn.key;
    setAttribute(element, "aria-rowindex", String(drawn.rowIndex));
    setAttribute(element, "aria-selected", String(drawn.selected));
    setAttribute(element, "aria-disabled", String(drawn.outdated));
    if (drawn.mark) setAttribute(element, "aria-description", drawn.mark);
    else element.removeAttribute("aria-description");
    element.classList.toggle("marked", drawn.mark !== "");
    element.classList.toggle("active", drawn.active);
    element.classList.toggle("loading", drawn.loading);
  }

  /** Puts the elements in reading order, with as few moves as possible in the scrolling direction. */
  private arrange(wanted: Row[], down: boolean): void {
    const { body } = this;
    if (down) {
      let after: Element | null = null;
      for (const { element } of wanted.toReversed()) {
        if (element.nextElementSibling !== after || element.parentElement !== body) body.insertBefore(element, after);
        after = element;
      }
      return;
    }
    let at = body.firstElementChild;
    for (const { element } of wanted) {
      if (element === at) at = at.nextElementSibling;
      else body.insertBefore(element, at);
    }
  }

  private build(): Row {
    const element = document.createElement("div");
    element.className = "row";
    element.setAttribute("role", "row");
    element.setAttribute("part", "row");
    element.id = `row-${++this.built}`;
    return { element, index: -1, key: UNDRAWN };
  }
}

function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
