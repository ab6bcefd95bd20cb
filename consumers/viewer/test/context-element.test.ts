import { ContextProvider, createContext } from "@lit/context";
import { html, LitElement } from "lit";
import { describe, expect, it } from "vitest";

import { ContextElement } from "../src/elements/context-element.js";

const context = createContext<EventTarget>(Symbol("shared"));

class Provider extends LitElement {
  readonly provider = new ContextProvider(this, { context, initialValue: new EventTarget() });
}
customElements.define("x-sharing", Provider);

class Shown extends ContextElement<EventTarget> {
  rendered = 0;

  constructor() {
    super(context);
  }

  protected override render(): unknown {
    this.rendered += 1;
    return html`${this.shared ? "there" : "missing"}`;
  }
}
customElements.define("x-shown", Shown);

/** Resolves after pending updates have been rendered. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

describe("a context element", () => {
  it("renders when the shared object changes, not while disconnected, and again when reconnected", async () => {
    const provider = document.createElement("x-sharing") as Provider;
    const shown = document.createElement("x-shown") as Shown;
    provider.append(shown);
    document.body.append(provider);
    await settled();
    expect([shown.rendered, shown.renderRoot.textContent]).toEqual([1, "there"]);

    const change = (): boolean => provider.provider.value.dispatchEvent(new Event("change"));
    change();
    await settled();
    expect(shown.rendered).toBe(2);

    change(); // removed before its pending update
    shown.remove();
    change();
    await settled();
    expect(shown.rendered).toBe(2);

    provider.append(shown);
    await settled();
    expect(shown.rendered).toBe(3);
  });
});
