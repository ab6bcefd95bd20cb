/** An event as a sentence: "Jane Cooper deleted document doc-13". The rules are the same as in `auditlane.contract.sentence`. */
import type { Grammar } from "../api/actions.js";
import type { AuditEvent } from "../api/types.js";
import { ownValue } from "./own-property.js";

/** The texts of an action in one language. Null means the default. */
export interface Templates {
  readonly label: string | null;
  readonly done: string | null;
  readonly attempted: string | null;
}

/** A part of a sentence. `placeholder` names the origin of a value, which is untrusted text. It is null for the template's own text. */
export interface SentencePart {
  readonly text: string;
  readonly placeholder: string | null;
}

export type SentenceEvent = Pick<AuditEvent, "action" | "outcome"> & Partial<AuditEvent>;

export const NO_TEMPLATES: Templates = { label: null, done: null, attempted: null };

const MAX_VALUE = 200; // maximum number of characters in a value
const PLACEHOLDER = /\{([^{}]*)\}/;
const SEPARATOR = /[.:/ ]/;

/** Whether the action was only attempted: it failed or was denied. */
export function isAttempt({ outcome }: Pick<AuditEvent, "outcome">): boolean {
  return outcome === "failure" || outcome === "denied";
}

/** Returns the sentence in parts, so that values can be isolated and marked. */
export function sentenceParts(event: SentenceEvent, grammar: Grammar, texts: Templates): SentencePart[] {
  const parts: SentencePart[] = [];
  const pieces = templateOf(event, grammar, texts).split(PLACEHOLDER); // text and placeholders in turn
  for (let index = 0; index < pieces.length; index += 2) {
    const [literal, placeholder] = [pieces[index] as string, pieces[index + 1]];
    const value = placeholder === undefined ? null : valueOf(event, placeholder, grammar, texts);
    const text = value === "" ? literal.replace(/ +$/, "") : literal;
    if (text) parts.push({ text, placeholder: null });
    if (value && placeholder !== undefined) parts.push({ text: value, placeholder });
  }
  return trimmed(parts);
}

/** Returns the sentence as text. */
export function sentenceText(event: SentenceEvent, grammar: Grammar, texts: Templates): string {
  return sentenceParts(event, grammar, texts).map(({ text }) => text).join("");
}

function trimmed(parts: readonly SentencePart[]): SentencePart[] {
  return parts
    .map(({ text, placeholder }, index) => {
      const start = index === 0 ? text.replace(/^ +/, "") : text;
      return { text: index === parts.length - 1 ? start.replace(/ +$/, "") : start, placeholder };
    })
    .filter(({ text }) => text);
}

function templateOf(event: SentenceEvent, grammar: Grammar, texts: Templates): string {
  const attempted = isAttempt(event);
  const verb = ownValue(grammar.verbs, lower(event.action.split(SEPARATOR).at(-1))) ?? grammar.neutral;
  return (attempted ? texts.attempted : texts.done) || verb[attempted ? 1 : 0];
}

function valueOf(event: SentenceEvent, name: string, grammar: Grammar, texts: Templates): string {
  if (name === "actor") return actorOf(event, grammar);
  if (name === "object") return objectOf(event, grammar);
  if (name === "action") return line(texts.label || event.action);
  const dot = name.indexOf(".");
  const fields = event as unknown as Readonly<Record<string, unknown>>;
  const value = dot < 0 ? fields[name] : ownValue((fields[name.slice(0, dot)] ?? {}) as Record<string, unknown>, name.slice(dot + 1));
  return line(value);
}

function actorOf(event: SentenceEvent, grammar: Grammar): string {
  const type = event.actor_type ?? "";
  const name = line(event.actor_name);
  if (name || type === "anonymous") return name || grammar.nobody;
  return line(event.actor_id) || (ownValue(grammar.actors, type) ?? grammar.nobody);
}

function objectOf(event: SentenceEvent, grammar: Grammar): string {
  const id = line(event.resource_id);
  const type = line(event.resource) || line(event.action.split(SEPARATOR).at(-2));
  const known = ownValue(grammar.nouns, lower(type));
  const noun = known ? known[0] : type.replace(/[_-]+/g, " ").replace(/^ +| +$/g, "");
  if (id) return `${noun} ${id}`.replace(/^ +/, "");
  if (known || !noun) return known ? known[1] : grammar.nothing;
  const phrase = grammar.articles.find(([pattern]) => new RegExp(pattern).test(noun))?.[1] ?? "{noun}";
  return phrase.replace("{noun}", () => noun);
}

function line(value: unknown): string {
  const text = typeof value === "string" ? value.replace(/[ \t\r\n]+/g, " ").replace(/^ | $/g, "") : "";
  if (text.length <= MAX_VALUE) return text;
  const characters = [...text];
  return characters.length <= MAX_VALUE ? text : `${characters.slice(0, MAX_VALUE).join("")}…`;
}

function lower(text: string | undefined): string {
  return (text ?? "").toLowerCase();
}
