/** The base of every part of the viewer: it has the log, and renders again when that changes. */
import type { Texts } from "../i18n/en/index.js";
import { Listening } from "../elements/context-element.js";
import { type Log, logContext } from "./viewer-state.js";

export class Part extends Listening<Log> {
  constructor() {
    super(logContext);
  }

  protected get log(): Log {
    return this.shared;
  }

  protected get text(): Texts {
    return this.log.text;
  }
}
