/** Describes query errors and other problems in the reader's language where there is a translation. */
import type { Problem } from "../api/problem.js";
import type { Texts } from "../i18n/en/index.js";
import { kindOf } from "./problem-kind.js";
import { escapeName } from "./query.js";

/**
 * Returns the start and end (in UTF-16 units) of the term at `column`, which the service reports in code points,
 * counted from 1.
 */
export function errorRange(query: string, column: number): readonly [number, number] {
  const characters = [...query];
  const begin = characters.slice(0, column - 1).join("").length;
  const rest = query.slice(begin);
  const length = /^(?:"(?:\\.|[^"\\])*"?|(?:\\.|[^\s()"])+|.)/su.exec(rest)?.[0].length ?? 0;
  return [begin, begin + length];
}

/** Returns the query with the field suggested by the service in place of an unknown one, or null if there is no suggestion. */
export function correctField(query: string, problem: Problem): { field: string; query: string } | null {
  const { reason, args } = problem.queryError ?? { reason: "", args: {} };
  const { field = "", meant = "" } = args;
  if (reason !== "unknown_field" || !meant || !problem.column) return null;
  const [begin, end] = errorRange(query, problem.column);
  const term = query.slice(begin, end);
  const at = term.indexOf(escapeName(field));
  if (at < 0) return null;
  const start = begin + at;
  return { field: meant, query: query.slice(0, start) + escapeName(meant) + query.slice(start + escapeName(field).length) };
}

export interface Description {
  readonly text: string;
  /** Whether `text` is in the reader's language. Otherwise, it is in English. */
  readonly translated: boolean;
}

/** Describes a query error. It is translated if its reason is known, and in the service's English otherwise. */
export function describeQueryError(problem: Problem, texts: Texts): Description {
  const known = texts.mistakes as Record<string, (args: Readonly<Record<string, string>>) => string>;
  const { reason, args } = problem.queryError ?? { reason: "", args: {} };
  if (Object.hasOwn(known, reason)) return { text: (known[reason] as (typeof known)[string])(args), translated: true };
  return { text: `${problem.detail.replace(/^query, column \d+: /, "")} ${problem.fix}`.trim(), translated: false };
}

/**
 * Returns the service's description of a problem if it adds something to the texts for its kind.
 *
 * Returns "" for other kinds, whose details are for developers, and for errors that the query box itself shows.
 */
export function describeDetail(problem: Problem, texts: Texts): Description {
  const shownInBox = problem.column !== null;
  const helps = ["notUnderstood", "failed"].includes(kindOf(problem)) && !shownInBox;
  return helps ? describeQueryError(problem, texts) : { text: "", translated: true };
}
