/** The base of elements that show what others share with them, and render again when that says `change`. */
import { type Context, ContextConsumer } from "@lit/context";
import { LitElement } from "lit";

export class Listening<T extends EventTarget> extends LitElement {
  private listened: T | null = null;
  private readonly given: ContextConsumer<Context<unknown, T>, this>;
  private readonly heard = (): void => this.requestUpdate();

  constructor(context: Context<unknown, T>) {
    super();
    this.given = new ContextConsumer(this, { context, subscribe: true, callback: (shared) => this.listen(shared) });
  }

  /** There from the first render on: such elements are only made inside of one that shares it. */
  protected get shared(): T {
    return this.given.value as T;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.listened?.removeEventListener("change", this.heard);
    this.listened = null;
  }

  /** What has left the page asks for nothing more; back in it, it listens and renders again. */
  protected override shouldUpdate(): boolean {
    return this.isConnected;
  }

  private listen(shared: T): void {
    this.listened?.removeEventListener("change", this.heard);
    this.listened = shared;
    shared.addEventListener("change", this.heard);
    this.requestUpdate();
  }
}
