/** The base of the viewer's elements. It provides the state of the viewer and renders them again when it changes. */
import { ContextElement } from "../elements/context-element.js";
import type { Texts } from "../i18n/en/index.js";
import { viewerContext, type ViewerState } from "./viewer-state.js";

export class ViewerElement extends ContextElement<ViewerState> {
  constructor() {
    super(viewerContext);
  }

  protected get viewer(): ViewerState {
    return this.shared;
  }

  protected get text(): Texts {
    return this.viewer.text;
  }
}
