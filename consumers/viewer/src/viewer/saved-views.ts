/** The reader's saved views: the tenant's and their own. */
import type { Client } from "../api/client.js";
import { listViews, type SavedView } from "../api/saved-views.js";
import { Problem } from "../api/problem.js";

export class SavedViews {
  all: readonly SavedView[] = [];
  /** Why they could not be loaded. */
  problem: Problem | null = null;
  /** The id of the view in the link to the page, until that view is shown. */
  linked = "";
  /** Whether the view in the link does not exist, or is not available to this reader. */
  missing = false;

  /** `onChange` is called after each change. */
  constructor(private readonly onChange: () => void) {}

  /** Whether there is anything to show. */
  get shown(): boolean {
    return this.all.length > 0 || this.problem !== null || this.missing;
  }

  find(id: string): SavedView | null {
    return this.all.find((saved) => saved.id === id) ?? null;
  }

  /** Loads the views. Never rejects, but sets `problem` on failure. */
  async load(client: Client): Promise<void> {
    try {
      this.all = await listViews(client);
      this.problem = null;
    } catch (cause) {
      this.problem = Problem.from(cause);
    }
    this.onChange();
  }

  /** Returns the view in the link to the page, but only once. */
  takeLinked(): SavedView | null {
    const { linked } = this;
    this.linked = "";
    const saved = this.find(linked);
    this.missing = linked !== "" && !saved;
    return saved;
  }

  /** Adds a view, or replaces the one with the same id. The tenant's views come first. */
  put(saved: SavedView): void {
    const known = this.find(saved.id);
    const next = known && known.shared === saved.shared ? this.all.map((one) => (one === known ? saved : one)) : [...this.all.filter((one) => one !== known), saved];
    this.all = [...next.filter((one) => one.shared), ...next.filter((one) => !one.shared)];
    this.onChange();
  }

  remove(saved: SavedView): void {
    this.all = this.all.filter((one) => one.id !== saved.id);
    this.onChange();
  }

  /** Removes the notice that the view in the link is missing. */
  dismiss(): void {
    this.missing = false;
    this.onChange();
  }
}
