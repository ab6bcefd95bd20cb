/** The base of every part of the settings: it has them, and renders again when they change. */
import type { Texts } from "../i18n/en/index.js";
import { ContextElement } from "../elements/context-element.js";
import { type Settings, settingsContext } from "./settings-state.js";

export class SettingsElement extends ContextElement<Settings> {
  constructor() {
    super(settingsContext);
  }

  protected get settings(): Settings {
    return this.shared;
  }

  protected get text(): Texts["settings"] {
    return this.settings.text.settings;
  }
}
