/**
 * Parts that are loaded when they are first used: `if (!(await late.load(() => import("../dialog.js")))) return;`. Their files change their
 * names with every build, so a page that was opened before an upgrade finds none of them, and has to say so.
 */
class Late extends EventTarget {
  /** The last part that was wanted did not come. */
  missing = false;

  /** The part, or null when it did not come: then `missing` was told to those who listen to `change`. */
  async load<T>(part: () => Promise<T>): Promise<T | null> {
    try {
      const loaded = await part();
      this.tell(false);
      return loaded;
    } catch {
      this.tell(true);
      return null;
    }
  }

  private tell(missing: boolean): void {
    if (this.missing === missing) return;
    this.missing = missing;
    this.dispatchEvent(new Event("change"));
  }
}

export const late = new Late();
