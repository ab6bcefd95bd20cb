/**
 * Loads modules when they are first used. Their file names change with every build, so a page opened before an upgrade
 * cannot load them and has to offer a reload.
 *
 *   if (!(await this.viewer.lazyImports.load(() => import("./dialog.js")))) return;
 */
export class LazyImports extends EventTarget {
  /** Whether the last import failed. Dispatches `change` when it changes. */
  failed = false;

  /** Resolves to the module, or to null if it could not be loaded. */
  async load<T>(load: () => Promise<T>): Promise<T | null> {
    try {
      const loaded = await load();
      this.setFailed(false);
      return loaded;
    } catch {
      this.setFailed(true);
      return null;
    }
  }

  private setFailed(failed: boolean): void {
    if (this.failed === failed) return;
    this.failed = failed;
    this.dispatchEvent(new Event("change"));
  }
}
