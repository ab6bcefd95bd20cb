/** The base of elements that render a shared object from a context. They are rendered again after each of its `change` events. */
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

  /** Set from the first render on, since these elements are used only inside the provider of the context. */
  protected get shared(): T {
    return this.consumer.value as T;
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.source?.removeEventListener("change", this.onChange);
    this.source = null;
  }

  /** Does not update, and therefore does not send requests, while disconnected. Reconnecting subscribes and renders again. */
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
