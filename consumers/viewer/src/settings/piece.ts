/** The base of every part of the settings: it has them, and renders again when they change. */
import { ContextConsumer } from "@lit/context";
import { LitElement } from "lit";

import type { Texts } from "../i18n/en/index.js";
import { type Settings, settingsContext } from "./settings.js";

export class Piece extends LitElement {
  private listened: Settings | null = null;
  private readonly given = new ContextConsumer(this, {
    context: settingsContext,
    subscribe: true,
    callback: (settings) => this.listen(settings),
  });
  private readonly heard = (): void => this.requestUpdate();

  /** There from the first render on: pieces are only made inside of settings that were opened. */
  protected get settings(): Settings {
    return this.given.value as Settings;
  }

  protected get text(): Texts["settings"] {
    return this.settings.text.settings;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.listen(null);
  }

  private listen(settings: Settings | null): void {
    this.listened?.removeEventListener("change", this.heard);
    this.listened = settings;
    settings?.addEventListener("change", this.heard);
    this.requestUpdate();
  }
}
