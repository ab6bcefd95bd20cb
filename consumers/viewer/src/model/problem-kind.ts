/** What kind of trouble a problem is: the words and the way on follow from it. */
import type { Problem } from "../api/problem.js";
import type { Texts } from "../i18n/en/index.js";
import { type Description, describeQueryError } from "./query-error.js";
import { ownValue } from "./own-property.js";

export type ProblemKind =
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

const KINDS: Record<string, ProblemKind> = {
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

export function kindOf(problem: Problem): ProblemKind {
  const known = ownValue(KINDS, problem.code);
  if (known) return known;
  return problem.status === 503 ? "away" : "failed";
}

/**
 * What the service says, where that is more than our words do; nothing elsewhere: most speaks to whoever writes requests.
 * `own`: in the reader's language, else in English.
 */
export function describeDetail(problem: Problem, texts: Texts): Description {
  const atTheBox = problem.column !== null; // which says it
  const helps = ["notUnderstood", "failed"].includes(kindOf(problem)) && !atTheBox;
  return helps ? describeQueryError(problem, texts) : { text: "", translated: true };
}

/** Whether asking the same again may end better. */
export function maySucceedLater(trouble: ProblemKind): boolean {
  return !["forbidden", "otherTenant", "tenantNeeded", "notUnderstood", "gone", "full"].includes(trouble);
}
