import { diffWordsWithSpace } from "diff";
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";

import { customElement } from "../../elements/define.js";
import { type Change, diffJson } from "../../model/diff.js";
import { truncate, visible } from "../../model/format/text.js";
import { wordsOf } from "../../model/hits.js";
import { baseStyles } from "../../styles/base.js";
import { formatNumber } from "../describe.js";
import { ViewerElement } from "../viewer-element.js";
import { changesStyles } from "./changes.styles.js";
import { HitMarker, hitStyles } from "./hit-marker.js";

const MAX_CHARACTERS = 400_000; // maximum length of both values combined; larger ones are shown only as raw JSON
const MAX_ROWS = 400;
const MAX_VALUE_LENGTH = 4_000; // maximum number of characters in one value
const MAX_WORD_DIFF_LENGTH = 2_000; // longer texts are compared as a whole

const SIGNS: Record<Change["kind"], string> = { added: "+", removed: "−", changed: "~", same: "" };

/** @summary Compares the values before and after an event key by key, with signs, words and colours. */
@customElement("auditlane-changes")
export class Changes extends ViewerElement {
  static override styles = [baseStyles, changesStyles, hitStyles];

  /** JSON or other text, or null if there is no value. */
  @property({ attribute: false }) was: string | null = null;
  @property({ attribute: false }) is: string | null = null;

  @state() private showUnchanged = false;
  private changes: Change[] = [];
  private tooLarge = false;

  constructor() {
    super();
    new HitMarker(this, () => wordsOf(this.viewer.view.query));
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    if (!changed.has("was") && !changed.has("is")) return;
    const { was: before, is: after } = this;
    this.showUnchanged = false;
    this.tooLarge = (before?.length ?? 0) + (after?.length ?? 0) > MAX_CHARACTERS;
    const kind = before === null ? "added" : after === null ? "removed" : before === after ? "same" : "changed";
    const whole: Change = { path: [], kind, before, after };
    this.changes = this.tooLarge ? [] : (diffJson(before, after) ?? [whole]);
  }

  protected override render(): TemplateResult {
    const { details } = this.text.reading;
    if (this.tooLarge) return html`<p>${details.tooLarge}</p>`;
    const other = this.changes.filter((change) => change.kind !== "same");
    const same = this.changes.length - other.length;
    const shown = (this.showUnchanged ? this.changes : other).slice(0, MAX_ROWS);
    return html`
      ${other.length ? nothing : html`<p>${details.nothing}</p>`}
      ${shown.length
        ? html`<table>
            <thead>
              <tr>
                <th class="kind" scope="col"><span class="word">${details.kind}</span></th>
                <th scope="col">${details.path}</th>
                <th scope="col">${details.before}</th>
                <th scope="col">${details.after}</th>
              </tr>
            </thead>
            <tbody>${shown.map((change) => this.row(change))}</tbody>
          </table>`
        : nothing}
      ${same && !this.showUnchanged
        ? html`<button class="quiet rest" aria-expanded="false" @click=${() => (this.showUnchanged = true)}>
            ${details.unchanged(same, formatNumber(this.viewer, same))}
          </button>`
        : nothing}
    `;
  }

  private row(change: Change): TemplateResult {
    const { details } = this.text.reading;
    const [before, after] = renderSides(change);
    return html`<tr class=${change.kind}>
      <td class="kind"><span class="sign" aria-hidden="true">${SIGNS[change.kind]}</span><span class="word">${details[change.kind]}</span></td>
      <th scope="row"><bdi>${visible(change.path.join(" › ")) || details.whole}</bdi></th>
      <td>${before}</td>
      <td>${after}</td>
    </tr>`;
  }
}

type Side = TemplateResult | typeof nothing;

/** Renders both sides of a change. In short texts, the words that differ are marked. */
function renderSides({ kind, before, after }: Change): [Side, Side] {
  const text = (value: string | null): string => visible(truncate(value ?? "", MAX_VALUE_LENGTH), true);
  const old = text(before);
  const now = text(after);
  if (kind === "added") return [nothing, html`<bdi><ins>${now}</ins></bdi>`];
  if (kind === "removed") return [html`<bdi><del>${old}</del></bdi>`, nothing];
  if (kind === "same") return [html`<bdi>${old}</bdi>`, html`<bdi>${now}</bdi>`];
  if (old.length + now.length > MAX_WORD_DIFF_LENGTH) return [html`<bdi><del>${old}</del></bdi>`, html`<bdi><ins>${now}</ins></bdi>`];
  const parts = diffWordsWithSpace(old, now);
  return [
    html`<bdi>${parts.filter((part) => !part.added).map((part) => (part.removed ? html`<del>${part.value}</del>` : part.value))}</bdi>`,
    html`<bdi>${parts.filter((part) => !part.removed).map((part) => (part.added ? html`<ins>${part.value}</ins>` : part.value))}</bdi>`,
  ];
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-changes": Changes;
  }
}
