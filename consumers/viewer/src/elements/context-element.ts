/** The base of elements that show what others share with them, and render again when that says `change`. */
import { type Context, ContextConsumer } from "@lit/context";
import { LitElement } from "lit";

export class ContextElement<T extends EventTarget> extends LitElement {
  private source: T | null = null;
  private readonly consumer: ContextConsumer<Context<unknown, T>, this>;
  private readonly onChange = (): void => this.requestUpdate();

  constructor(context: Context<unknown, T>) {
    super();
    this.consumer = new ContextConsumer(this, { context, subscribe: true, callback: (shared) => this.subscribe(shared) });
  }

  /** There from the first render on: such elements are only made inside of one that shares it. */
  protected get shared(): T {
    return this.consumer.value as T;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.source?.removeEventListener("change", this.onChange);
    this.source = null;
  }

  /** What has left the page asks for nothing more; back in it, it listens and renders again. */
  protected override shouldUpdate(): boolean {
    return this.isConnected;
  }

  private subscribe(shared: T): void {
    this.source?.removeEventListener("change", this.onChange);
    this.source = shared;
    shared.addEventListener("change", this.onChange);
    this.requestUpdate();
  }
}
