/** What kind of trouble a problem is: the words and the way on follow from it. */
import type { Problem } from "../api/problem.js";

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
  const known = KINDS[problem.code];
  if (known) return known;
  return problem.status === 503 ? "away" : "failed";
}

/** The service's own words, where they say more than ours do; "" elsewhere: most speak to whoever writes requests. */
export function detailOf(problem: Problem): string {
  const atTheBox = problem.column !== null; // which says it
  const helps = ["notUnderstood", "failed"].includes(troubleOf(problem)) && !atTheBox;
  return helps ? `${problem.detail} ${problem.fix}`.trim() : "";
}

/** Whether asking the same again may end better. */
export function maySucceedLater(trouble: Trouble): boolean {
  return !["forbidden", "otherTenant", "tenantNeeded", "notUnderstood", "gone", "full"].includes(trouble);
}
