/** The base of every part of the viewer: it has the log, and renders again when that changes. */
import { ContextConsumer } from "@lit/context";
import { LitElement } from "lit";

import type { Texts } from "../i18n/en/index.js";
import { type Log, logContext } from "./log.js";

export class Part extends LitElement {
  private listened: Log | null = null;
  private readonly given = new ContextConsumer(this, {
    context: logContext,
    subscribe: true,
    callback: (log) => this.listen(log),
  });
  private readonly heard = (): void => this.requestUpdate();

  /** There from the first render on: parts are only made inside of a viewer that has one. */
  protected get log(): Log {
    return this.given.value as Log;
  }

  protected get text(): Texts {
    return this.log.text;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.listen(null);
  }

  private listen(log: Log | null): void {
    this.listened?.removeEventListener("change", this.heard);
    this.listened = log;
    log?.addEventListener("change", this.heard);
    this.requestUpdate();
  }
}
