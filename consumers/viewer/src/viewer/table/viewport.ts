/** Tracks the rows in view, and keeps them in place while rows above them are added or removed. All rows have the same height. */
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";

const OVERSCAN = 8;

/** Calls `paint` whenever the rows in view change. These include rows that are drawn beyond the edges. */
export class Viewport {
  private readonly virtual: Virtualizer<HTMLElement, HTMLElement>;
  private readonly unmount: () => void;
  private count = 0;
  private height = 0;
  private margin = 0;

  constructor(
    private readonly grid: HTMLElement,
    private readonly paint: () => void,
  ) {
    this.virtual = new Virtualizer(this.options());
    this.unmount = this.virtual._didMount();
    this.virtual._willUpdate();
  }

  /** Sets the number of rows, their height, and the height of the header, in px. */
  set(count: number, height: number, margin: number): void {
    if (count === this.count && height === this.height && margin === this.margin) return;
    const other = height !== this.height && this.height > 0;
    const first = this.first;
    this.count = count;
    this.height = height;
    this.margin = margin;
    this.virtual.setOptions(this.options());
    if (other) {
      this.virtual.measure();
      this.grid.scrollTop = first * height;
    }
    this.virtual._willUpdate();
  }

  /** The index of the first row on screen. */
  get first(): number {
    return this.height ? Math.max(0, Math.floor(this.grid.scrollTop / this.height)) : 0;
  }

  get last(): number {
    const range = this.virtual.calculateRange();
    return range ? range.endIndex : this.first;
  }

  /** The first and last rows that are drawn. */
  get drawn(): readonly [number, number] {
    const items = this.virtual.getVirtualItems();
    return [items[0]?.index ?? 0, items.at(-1)?.index ?? -1];
  }

  /** The number of rows that fit on one screen. */
  get screenful(): number {
    return Math.max(1, Math.floor((this.grid.clientHeight - this.margin) / (this.height || 1)) - 1);
  }

  get atTop(): boolean {
    return this.grid.scrollTop < (this.height || 1);
  }

  /** Scrolls along with rows that have moved. */
  follow(rows: number): void {
    if (rows) this.grid.scrollTop += rows * this.height;
  }

  reveal(index: number): void {
    const top = index * this.height;
    const bottom = (index + 1) * this.height;
    const room = this.grid.clientHeight - this.margin;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (bottom > this.grid.scrollTop + room) this.grid.scrollTop = bottom - room;
  }

  toTop(): void {
    this.grid.scrollTop = 0;
  }

  close(): void {
    this.unmount();
  }

  private options(): ConstructorParameters<typeof Virtualizer<HTMLElement, HTMLElement>>[0] {
    return {
      count: this.count,
      estimateSize: () => this.height,
      getScrollElement: () => this.grid,
      observeElementOffset,
      observeElementRect,
      onChange: this.paint,
      overscan: OVERSCAN,
      scrollMargin: this.margin,
      scrollToFn: elementScroll,
    };
  }
}
