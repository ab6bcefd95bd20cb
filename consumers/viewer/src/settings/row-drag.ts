/** Reorders rows while they are dragged with a pointer. Listens on the window, since moved rows lose pointer capture. */

export interface DragList {
  /** Returns the row elements, in order. */
  rows(): HTMLElement[];
  /** Moves the dragged row to an index. */
  moveTo(row: HTMLElement, index: number): void;
  /** Called when the drag ends. `kept` is false if it was cancelled. */
  onEnd(row: HTMLElement, kept: boolean): void;
}

export class RowDrag {
  private row: HTMLElement | null = null;

  constructor(private readonly list: DragList) {}

  start(event: PointerEvent, row: HTMLElement): void {
    if (event.button !== 0 || this.row) return;
    event.preventDefault(); // prevents text selection
    this.row = row;
    row.toggleAttribute("dragged", true);
    window.addEventListener("pointermove", this.onMove);
    window.addEventListener("pointerup", this.onUp);
    window.addEventListener("pointercancel", this.onCancel);
    window.addEventListener("keydown", this.onKeydown, true);
  }

  stop(kept: boolean): void {
    const row = this.row;
    if (!row) return;
    this.row = null;
    row.toggleAttribute("dragged", false);
    window.removeEventListener("pointermove", this.onMove);
    window.removeEventListener("pointerup", this.onUp);
    window.removeEventListener("pointercancel", this.onCancel);
    window.removeEventListener("keydown", this.onKeydown, true);
    this.list.onEnd(row, kept);
  }

  private readonly onMove = (event: PointerEvent): void => {
    const row = this.row as HTMLElement;
    const rows = this.list.rows();
    const above = rows.filter((element) => {
      const { top, height } = element.getBoundingClientRect();
      return element !== row && top + height / 2 < event.clientY;
    });
    if (above.length === rows.indexOf(row)) return;
    this.list.moveTo(row, above.length);
    row.scrollIntoView({ block: "nearest" });
  };

  private readonly onUp = (): void => this.stop(true);
  private readonly onCancel = (): void => this.stop(false);
  private readonly onKeydown = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.stop(false);
  };
}
