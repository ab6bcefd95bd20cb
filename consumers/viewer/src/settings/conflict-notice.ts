import { html, nothing, type PropertyValues, type TemplateResult } from "lit";

import { customElement } from "../elements/define.js";
import { visible } from "../model/format/text.js";
import { describeChanges, describeConflict, describeRevision, labelByName } from "../model/structure/describe-changes.js";
import { baseStyles } from "../styles/base.js";
import { icon } from "../styles/icons.js";
import { conflictNoticeStyles } from "./conflict-notice.styles.js";
import type { Conflict } from "./loaded-settings.js";
import { formatRelative } from "./relative-time.js";
import { noteStyles, sectionStyles } from "./section.styles.js";
import { SettingsElement } from "./settings-element.js";

/**
 * @summary Reports that another user saved first, shows what they changed, and offers to reapply or discard the draft.
 *
 * @csspart conflict - The notice.
 */
@customElement("auditlane-settings-conflict")
export class ConflictNotice extends SettingsElement {
  static override styles = [baseStyles, sectionStyles, noteStyles, conflictNoticeStyles];

  private focusedConflict: Conflict | null = null;

  protected override render(): TemplateResult | typeof nothing {
    const { conflict, loaded } = this.settings;
    if (!conflict || !loaded) return nothing;
    const words = this.text.conflict;
    const { conflicts, lostFields } = conflict.merged;
    const now = conflict.latest.structure;
    return html`<section class="note" part="conflict" aria-labelledby="title">
      ${icon("warning")}
      <div>
        <div role="alert">
          <h3 id="title" tabindex="-1">${words.title}</h3>
          <p>${words.lead}</p>
        </div>
        <dl>${this.renderRemote(conflict)}</dl>
        ${conflicts.length
          ? html`<div>
              <p>${words.both}</p>
              <ul>
                ${conflicts.map((conflict) => html`<li>${visible(describeConflict(conflict, now, this.settings.text))}</li>`)}
              </ul>
            </div>`
          : nothing}
        ${lostFields.length
          ? html`<p>${words.gone(this.text.list(lostFields.map((name) => visible(labelByName(loaded.structure, name, this.settings.text)))))}</p>`
          : nothing}
        <div class="ways">
          <button id="reapply" class="primary" aria-describedby="hint" @click=${this.reapply}>${words.reapply}</button>
          <button id="drop" @click=${this.discard}>${words.drop}</button>
        </div>
        <p id="hint" class="quietly small">${words.reapplyHint}</p>
      </div>
    </section>`;
  }

  protected override updated(_: PropertyValues<this>): void {
    const { conflict } = this.settings;
    if (conflict && conflict !== this.focusedConflict) this.renderRoot.querySelector<HTMLElement>("#title")?.focus();
    this.focusedConflict = conflict;
  }

  private readonly reapply = (): void => {
    this.settings.reapply();
    this.settings.focusHeading();
  };

  private readonly discard = (): void => {
    this.settings.acceptRemote();
    this.settings.focusHeading();
  };

  /** Renders the changes of the other users by revision. For changes to the environment, only the effect is known. */
  private renderRemote({ revisions, latest, remote }: Conflict): TemplateResult[] {
    const words = this.text.conflict;
    const { language, text } = this.settings;
    if (revisions.length) {
      return revisions.map((revision) =>
        this.renderEntry(
          words.who(revision.changedBy, revision.changedAt ? formatRelative(revision.changedAt, language) : ""),
          describeRevision(revision, latest.structure, text),
        ),
      );
    }
    const labelOf = (name: string): string => labelByName(this.structureWith(name, latest.structure), name, text);
    const label = (names: string[]): string => this.text.list(names.map(labelOf));
    const lines = describeChanges(remote.changes, latest.structure, text);
    if (remote.added.length) lines.push(words.added(label(remote.added)));
    if (remote.removed.length) lines.push(words.removed(label(remote.removed)));
    if (remote.enabled !== null) lines.push(remote.enabled ? words.on : words.off);
    return [this.renderEntry(words.environment, lines)];
  }

  private structureWith(name: string, now: Conflict["latest"]["structure"]): Conflict["latest"]["structure"] {
    const known = now.fields.some((field) => field.name === name);
    return known ? now : (this.settings.loaded?.structure ?? now);
  }

  private renderEntry(who: string, lines: string[]): TemplateResult {
    return html`<dt>${visible(who)}</dt>
      ${lines.map((line) => html`<dd>${visible(line)}</dd>`)}`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "auditlane-settings-conflict": ConflictNotice;
  }
}
