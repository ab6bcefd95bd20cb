/** `<auditlane-settings-conflict>`: somebody else saved first: who, what, and the two ways on. */
import { css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";

import { visible } from "../model/format/text.js";
import { describeChanges, describeConflict, labelByName, describeRevision } from "../model/structure/describe-changes.js";
import { base } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { momentSaid } from "./relative-time.js";
import { SettingsElement } from "./settings-element.js";
import type { Conflict } from "./loaded-settings.js";
import { note, section } from "./section.styles.js";

@customElement("auditlane-settings-conflict")
export class ConflictNote extends SettingsElement {
  static override styles = [
    base,
    section,
    note,
    css`
      dl,
      dd {
        margin: 0;
      }
      dt {
        font-weight: 500;
      }
    `,
  ];

  private told: Conflict | null = null;

  protected override render(): TemplateResult | typeof nothing {
    const { conflict, seen } = this.settings;
    if (!conflict || !seen) return nothing;
    const words = this.text.conflict;
    const { conflicts, lostFields } = conflict.merged;
    const now = conflict.seen.structure;
    return html`<section class="note" part="conflict" aria-labelledby="title">
      ${icon("warning")}
      <div>
        <div role="alert">
          <h3 id="title" tabindex="-1">${words.title}</h3>
          <p>${words.lead}</p>
        </div>
        <dl>${this.theirs(conflict)}</dl>
        ${conflicts.length
          ? html`<div>
              <p>${words.both}</p>
              <ul>
                ${conflicts.map((one) => html`<li>${visible(describeConflict(one, now, this.settings.text))}</li>`)}
              </ul>
            </div>`
          : nothing}
        ${lostFields.length
          ? html`<p>${words.gone(this.text.list(lostFields.map((name) => visible(labelByName(seen.structure, name, this.settings.text)))))}</p>`
          : nothing}
        <div class="ways">
          <button id="reapply" class="primary" aria-describedby="hint" @click=${this.reapply}>${words.reapply}</button>
          <button id="drop" @click=${this.giveWay}>${words.drop}</button>
        </div>
        <p id="hint" class="quietly small">${words.reapplyHint}</p>
      </div>
    </section>`;
  }

  protected override updated(_: PropertyValues<this>): void {
    const { conflict } = this.settings;
    if (conflict && conflict !== this.told) this.renderRoot.querySelector<HTMLElement>("#title")?.focus();
    this.told = conflict;
  }

  private readonly reapply = (): void => {
    this.settings.reapply();
    this.settings.toHeading();
  };

  private readonly giveWay = (): void => {
    this.settings.giveWay();
    this.settings.toHeading();
  };

  /** By whom, as the history has it; what the environment's admins did is only seen by its effect. */
  private theirs({ revisions, seen, theirs }: Conflict): TemplateResult[] {
    const words = this.text.conflict;
    const { language, text } = this.settings;
    if (revisions.length) {
      return revisions.map((one) =>
        this.entry(
          words.who(one.changedBy, one.changedAt ? momentSaid(one.changedAt, language) : ""),
          describeRevision(one, seen.structure, text),
        ),
      );
    }
    const label = (names: string[]): string => this.text.list(names.map((name) => labelByName(this.either(name, seen.structure), name, text)));
    const lines = describeChanges(theirs.changes, seen.structure, text);
    if (theirs.added.length) lines.push(words.added(label(theirs.added)));
    if (theirs.removed.length) lines.push(words.taken(label(theirs.removed)));
    if (theirs.enabled !== null) lines.push(theirs.enabled ? words.on : words.off);
    return [this.entry(words.environment, lines)];
  }

  private either(name: string, now: Conflict["seen"]["structure"]): Conflict["seen"]["structure"] {
    const known = now.fields.some((one) => one.name === name);
    return known ? now : (this.settings.seen?.structure ?? now);
  }

  private entry(who: string, lines: string[]): TemplateResult {
    return html`<dt>${visible(who)}</dt>
      ${lines.map((line) => html`<dd>${visible(line)}</dd>`)}`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-conflict": ConflictNote;
  }
}
