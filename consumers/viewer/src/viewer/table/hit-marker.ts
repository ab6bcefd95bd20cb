/** Marks words in the values that an element shows. The browser draws the marks, so the content of the element stays unchanged. */
import { css, type LitElement, type ReactiveController } from "lit";

const NAME = "auditlane-hit";

export const hitStyles = css`
  ::highlight(auditlane-hit) {
    background-color: color-mix(in srgb, var(--warn) 30%, transparent);
  }
`;

export class HitMarker implements ReactiveController {
  private ranges: Range[] = [];

  /** `words` returns the words to mark, ignoring case. Values are in `bdi` elements. */
  constructor(
    private readonly host: LitElement,
    private readonly words: () => readonly string[],
  ) {
    host.addController(this);
  }

  hostUpdated(): void {
    this.clear();
    const words = this.words().map((word) => word.toLowerCase());
    if (!words.length || !CSS.highlights) return; // older browsers show no marks
    const values = this.host.renderRoot.querySelectorAll("bdi:not(dt bdi)");
    this.ranges = [...values].flatMap((value) => rangesIn(value, words));
    const highlight = CSS.highlights.get(NAME) ?? new Highlight();
    for (const range of this.ranges) highlight.add(range);
    CSS.highlights.set(NAME, highlight);
  }

  hostDisconnected(): void {
    this.clear();
  }

  private clear(): void {
    for (const range of this.ranges) CSS.highlights.get(NAME)?.delete(range);
    this.ranges = [];
  }
}

function rangesIn(value: Element, words: readonly string[]): Range[] {
  const found: Range[] = [];
  const walker = document.createTreeWalker(value, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = (node.nodeValue ?? "").toLowerCase();
    if (text.length !== node.nodeValue?.length) continue; // some letters become longer in lower case
    for (const word of words) {
      for (let start = text.indexOf(word); start >= 0; start = text.indexOf(word, start + word.length)) {
        const range = new Range();
        range.setStart(node, start);
        range.setEnd(node, start + word.length);
        found.push(range);
      }
    }
  }
  return found;
}
