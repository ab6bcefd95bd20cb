/** The input for the label of a field, which is translated until it is customized. */
import { html, type TemplateResult } from "lit";

import type { Field } from "../api/structure.js";
import { fieldLabel, storedName } from "../model/labels.js";
import { setField } from "../model/structure/draft.js";
import type { SettingsState } from "./settings-state.js";

export class NameInput {
  /** The text typed while the input is focused, so that "Time" is not translated halfway through typing "Timer". */
  private typed: { name: string; text: string } | null = null;

  constructor(private readonly settings: () => SettingsState) {}

  render(field: Field, label: string): TemplateResult {
    const { text } = this.settings();
    const { name } = field;
    return html`<input
      aria-label=${text.settings.fields.name(label)}
      maxlength="200"
      required
      autocomplete="off"
      aria-invalid=${field.displayName.trim() ? "false" : "true"}
      .value=${this.typed?.name === name ? this.typed.text : fieldLabel(field, text)}
      @input=${(event: Event) => this.onInput(name, (event.target as HTMLInputElement).value)}
      @blur=${() => this.onBlur()}
    />`;
  }

  private onInput(name: string, typed: string): void {
    this.typed = { name, text: typed };
    this.settings().edit((draft) => setField(draft, name, { displayName: storedName(name, typed, this.settings().text) }));
  }

  private onBlur(): void {
    if (!this.typed) return;
    this.typed = null;
    this.settings().edit((draft) => draft);
  }
}
