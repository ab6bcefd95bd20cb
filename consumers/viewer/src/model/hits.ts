/** Finds where an event contains the plain words of a query. The service searches for them in every field. */
import type { AuditEvent } from "../api/types.js";
import { parseTerm, splitAlternatives } from "./query.js";

/** The fields that the service searches for words, as parameters of a query. */
const SEARCHED = [
  "action",
  "actor_id",
  "actor_type",
  "actor_name",
  "on_behalf_of",
  "resource",
  "resource_id",
  "outcome",
  "severity",
  "description",
  "ip",
  "user_agent",
  "request_id",
  "source",
  "before",
  "after",
  "event_id",
] as const satisfies readonly (keyof AuditEvent)[];

/** Returns the plain words and phrases of a query, including those in brackets but not negated ones. */
export function wordsOf(query: string): string[] {
  const words = splitAlternatives(query).flat().flatMap((term): string[] => {
    const { kind, negated, value } = parseTerm(term);
    if (negated || !value) return [];
    if (kind === "group") return value.endsWith(")") ? wordsOf(value.slice(1, -1)) : [];
    return kind === "word" ? [value] : [];
  });
  return [...new Set(words)];
}

/** Returns the fields that contain a word, ignoring case, as parameters of a query. */
export function fieldsWith(event: AuditEvent, word: string): string[] {
  const wanted = word.toLowerCase();
  const contains = (value: unknown): boolean => typeof value === "string" && value.toLowerCase().includes(wanted);
  const keys = (group: "metadata" | "fields"): string[] =>
    Object.entries(event[group]).flatMap(([key, value]) => (contains(value) ? [`${group}.${key}`] : []));
  return [...SEARCHED.filter((name) => contains(event[name])), ...keys("metadata"), ...keys("fields")];
}
