/** Reordering by a pointer: rows move while they are dragged. Listens at the window, since rows that move lose captures. */

export interface Rows {
  /** The rows' elements in their sequence. */
  rows(): HTMLElement[];
  /** The dragged row shall stand at this place. */
  to(row: HTMLElement, place: number): void;
  /** It was let go, or given up. */
  end(row: HTMLElement, kept: boolean): void;
}

export class Drag {
  private row: HTMLElement | null = null;

  constructor(private readonly list: Rows) {}

  start(event: PointerEvent, row: HTMLElement): void {
    if (event.button !== 0 || this.row) return;
    event.preventDefault(); // no text is selected
    this.row = row;
    row.toggleAttribute("dragged", true);
    window.addEventListener("pointermove", this.move);
    window.addEventListener("pointerup", this.up);
    window.addEventListener("pointercancel", this.giveUp);
    window.addEventListener("keydown", this.key, true);
  }

  stop(kept: boolean): void {
    const row = this.row;
    if (!row) return;
    this.row = null;
    row.toggleAttribute("dragged", false);
    window.removeEventListener("pointermove", this.move);
    window.removeEventListener("pointerup", this.up);
    window.removeEventListener("pointercancel", this.giveUp);
    window.removeEventListener("keydown", this.key, true);
    this.list.end(row, kept);
  }

  private readonly move = (event: PointerEvent): void => {
    const row = this.row as HTMLElement;
    const rows = this.list.rows();
    const above = rows.filter((one) => {
      const { top, height } = one.getBoundingClientRect();
      return one !== row && top + height / 2 < event.clientY;
    });
    if (above.length === rows.indexOf(row)) return;
    this.list.to(row, above.length);
    row.scrollIntoView({ block: "nearest" });
  };

  private readonly up = (): void => this.stop(true);
  private readonly giveUp = (): void => this.stop(false);
  private readonly key = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.stop(false);
  };
}
