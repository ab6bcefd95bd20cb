/** A mistake in a query: where it is to be underlined, and its words. */
import type { Problem } from "../api/problem.js";
import type { Texts } from "../i18n/en/index.js";

/** From and to, in UTF-16 units, of the mistake at a column that the service gave: counted from 1, in code points. */
export function errorRange(query: string, column: number): readonly [number, number] {
  const signs = [...query];
  const begin = signs.slice(0, column - 1).join("").length;
  const rest = query.slice(begin);
  const length = /^(?:"(?:\\.|[^"\\])*"?|(?:\\.|[^\s()"])+|.)/su.exec(rest)?.[0].length ?? 0;
  return [begin, begin + length];
}

export interface Description {
  readonly text: string;
  /** In the reader's language. */
  readonly translated: boolean;
}

/** What is wrong, in the reader's language where there are words for it; else as the service says it, in English. */
export function describeQueryError(problem: Problem, texts: Texts): Description {
  const known = texts.mistakes as Record<string, (about: Readonly<Record<string, string>>) => string>;
  const { reason, args } = problem.queryError ?? { reason: "", args: {} };
  if (Object.hasOwn(known, reason)) return { text: (known[reason] as (typeof known)[string])(args), translated: true };
  return { text: `${problem.detail.replace(/^query, column \d+: /, "")} ${problem.fix}`.trim(), translated: false };
}
