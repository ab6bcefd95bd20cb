/** The base of the settings elements. It provides their state and renders them again when it changes. */
import { ContextElement } from "../elements/context-element.js";
import type { SettingsTexts } from "../i18n/settings.js";
import { settingsContext, type SettingsState } from "./settings-state.js";

export class SettingsElement extends ContextElement<SettingsState> {
  constructor() {
    super(settingsContext);
  }

  protected get settings(): SettingsState {
    return this.shared;
  }

  protected get text(): SettingsTexts["settings"] {
    return this.settings.text.settings;
  }
}
