/** The known actions, by name and by label in one language. */
import type { CatalogueAction } from "../api/actions.js";
import type { Language } from "../i18n/index.js";

/** A known action in the reader's language. */
export interface KnownAction {
  readonly name: string;
  readonly label: string;
}

export class Catalogue {
  private readonly labels: ReadonlyMap<string, string>;

  constructor(
    private readonly actions: readonly CatalogueAction[],
    language: Language,
  ) {
    this.labels = new Map(actions.map(({ name, label }) => [name, label[language]]));
  }

  /** Returns the same actions in another language. */
  in(language: Language): Catalogue {
    return new Catalogue(this.actions, language);
  }

  /** Returns an action's label; undefined for an unknown action. */
  labelOf(name: string): string | undefined {
    return this.labels.get(name);
  }

  /** Whether the action's name or label contains every typed word. */
  matches(name: string, typed: string): boolean {
    const text = searchable(`${name} ${this.labels.get(name) ?? ""}`);
    return searchable(typed).split(" ").every((word) => text.includes(word));
  }

  /** Returns the known actions that match; those whose name or label begins with the text come first. */
  matching(typed: string): KnownAction[] {
    const wanted = searchable(typed);
    const begins = ({ name, label }: KnownAction): boolean => [label, name].some((text) => searchable(text).startsWith(wanted));
    const found = [...this.labels].map(([name, label]) => ({ name, label })).filter(({ name }) => this.matches(name, typed));
    return [...found.filter(begins), ...found.filter((action) => !begins(action))];
  }
}

export const NO_ACTIONS = new Catalogue([], "en");

/** Returns the text in lower case, with a space in place of each separator. */
function searchable(text: string): string {
  return text.toLowerCase().replace(/[\s._:-]+/g, " ").trim();
}
