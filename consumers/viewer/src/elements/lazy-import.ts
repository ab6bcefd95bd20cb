/**
 * Loads modules when they are first used. Their file names change with every build, so a page opened before an upgrade
 * cannot load them and has to offer a reload. Without a connection, the next use tries again.
 *
 *   if (!(await this.viewer.lazyImports.load(() => import("./dialog.js")))) return;
 */
export class LazyImports extends EventTarget {
  /** Why the last import failed; null if it did not. Dispatches `change` when it changes. */
  failure: "offline" | "stale" | null = null;

  /** The number of failed retries by URL. */
  private readonly retries = new Map<string, number>();
  private readonly onOnline = (): void => this.reconnected();

  /** `reachesService` resolves to whether the service responds, and is called after a failure. */
  constructor(private readonly reachesService: () => Promise<boolean>) {
    super();
  }

  /** Resolves to the module, or to null if it could not be loaded. */
  async load<T>(load: () => Promise<T>): Promise<T | null> {
    try {
      const loaded = await load().catch((cause: unknown) => this.retry<T>(cause));
      this.setFailure(null);
      return loaded;
    } catch {
      this.setFailure((await this.reachesService()) ? "stale" : "offline");
      return null;
    }
  }

  /** Withdraws the report of a missing connection. */
  reconnected(): void {
    if (this.failure === "offline") this.setFailure(null);
  }

  /**
   * Imports the module under another URL: Chromium never requests a module again whose request failed. The URL stays
   * the same once it has worked, so that the module exists once.
   */
  private async retry<T>(cause: unknown): Promise<T> {
    const url = failedUrl(cause);
    if (!url) throw cause;
    const count = this.retries.get(url) ?? 0;
    try {
      return (await import(/* @vite-ignore */ `${url}?retry=${count}`)) as T;
    } catch (again) {
      this.retries.set(url, count + 1);
      throw again;
    }
  }

  private setFailure(failure: LazyImports["failure"]): void {
    if (this.failure === failure) return;
    this.failure = failure;
    if (failure === "offline") addEventListener("online", this.onOnline, { once: true });
    else removeEventListener("online", this.onOnline);
    this.dispatchEvent(new Event("change"));
  }
}

/** Returns the URL in a browser's error about a module that it could not request; "" without one, as in Safari. */
export function failedUrl(cause: unknown): string {
  return /dynamically imported module: (\S+)$/.exec(cause instanceof TypeError ? cause.message : "")?.[1] ?? "";
}
