/** What kind of trouble a problem is: the words and the way on follow from it. */
import type { Problem } from "../api/problem.js";
import type { Texts } from "../i18n/en/index.js";
import { type Sentence, sentenceOf } from "./query-error.js";
import { own } from "./own-property.js";

export type Trouble =
  | "expired"
  | "signedOut"
  | "forbidden"
  | "otherTenant"
  | "tenantNeeded"
  | "disabled"
  | "offline"
  | "unreachable"
  | "limited"
  | "away"
  | "tooLarge"
  | "notUnderstood"
  | "gone"
  | "full"
  | "failed";

const KINDS: Record<string, Trouble> = {
  TOKEN_EXPIRED: "expired",
  UNAUTHENTICATED: "signedOut",
  FORBIDDEN: "forbidden",
  TENANT_FORBIDDEN: "otherTenant",
  TENANT_NEEDED: "tenantNeeded",
  AUDIT_LOGS_DISABLED: "disabled",
  OFFLINE: "offline",
  UNREACHABLE: "unreachable",
  RATE_LIMITED: "limited",
  QUERY_TOO_LARGE: "tooLarge",
  FILTER_INVALID: "notUnderstood",
  CURSOR_INVALID: "notUnderstood",
  NOT_FOUND: "gone",
  TOO_MANY_EXPORTS: "full",
};

export function troubleOf(problem: Problem): Trouble {
  const known = own(KINDS, problem.code);
  if (known) return known;
  return problem.status === 503 ? "away" : "failed";
}

/**
 * What the service says, where that is more than our words do; nothing elsewhere: most speaks to whoever writes requests.
 * `own`: in the reader's language, else in English.
 */
export function detailOf(problem: Problem, texts: Texts): Sentence {
  const atTheBox = problem.column !== null; // which says it
  const helps = ["notUnderstood", "failed"].includes(troubleOf(problem)) && !atTheBox;
  return helps ? sentenceOf(problem, texts) : { words: "", own: true };
}

/** Whether asking the same again may end better. */
export function maySucceedLater(trouble: Trouble): boolean {
  return !["forbidden", "otherTenant", "tenantNeeded", "notUnderstood", "gone", "full"].includes(trouble);
}
