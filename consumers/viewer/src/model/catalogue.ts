/** The known actions, by name and by label in one language, and the sentences for events. */
import type { CatalogueAction, Grammar } from "../api/actions.js";
import type { Language } from "../i18n/index.js";
import { NO_TEMPLATES, type SentenceEvent, type SentencePart, sentenceParts, type Templates } from "./sentence.js";

/** A known action in the reader's language. */
export interface KnownAction {
  readonly name: string;
  readonly label: string;
}

export class Catalogue {
  private readonly labels: ReadonlyMap<string, string>;
  private readonly templates: ReadonlyMap<string, Templates>;

  constructor(
    private readonly actions: readonly CatalogueAction[],
    private readonly language: Language,
    private readonly grammar: Partial<Record<Language, Grammar>> = {},
  ) {
    this.labels = new Map(actions.map(({ name, label }) => [name, label[language]]));
    this.templates = new Map(
      actions.map(({ name, label, sentence, attempted }) => [
        name,
        { label: label[language], done: sentence?.[language] ?? null, attempted: attempted?.[language] ?? null },
      ]),
    );
  }

  /** Returns the same actions in another language. */
  in(language: Language): Catalogue {
    return new Catalogue(this.actions, language, this.grammar);
  }

  /** Returns the label of an action, or undefined if the action is unknown. */
  labelOf(name: string): string | undefined {
    return this.labels.get(name);
  }

  /** Returns the event as a sentence, in parts: "Jane Cooper", " deleted ", "document doc-13". Values are untrusted text. */
  sentenceOf(event: SentenceEvent): SentencePart[] {
    const grammar = this.grammar[this.language];
    if (grammar) return sentenceParts(event, grammar, this.templates.get(event.action) ?? NO_TEMPLATES);
    return [{ text: this.labelOf(event.action) ?? event.action, placeholder: "action" }];
  }

  /** Whether the action's name or label contains every typed word. */
  matches(name: string, typed: string): boolean {
    const text = searchable(`${name} ${this.labels.get(name) ?? ""}`);
    return searchable(typed).split(" ").every((word) => text.includes(word));
  }

  /** Returns the known actions that match. Those whose name or label begins with the text come first. */
  matching(typed: string): KnownAction[] {
    const wanted = searchable(typed);
    const begins = ({ name, label }: KnownAction): boolean => [label, name].some((text) => searchable(text).startsWith(wanted));
    const found = [...this.labels].map(([name, label]) => ({ name, label })).filter(({ name }) => this.matches(name, typed));
    return [...found.filter(begins), ...found.filter((action) => !begins(action))];
  }
}

export const NO_ACTIONS = new Catalogue([], "en");

/** Returns the text in lower case, with each separator replaced by a space. */
function searchable(text: string): string {
  return text.toLowerCase().replace(/[\s._:-]+/g, " ").trim();
}
