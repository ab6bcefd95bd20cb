/** Classifies problems by what the user can do about them. The texts and the next step depend on the kind. */
import type { Problem } from "../api/problem.js";
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

/** Whether the same request may succeed later, with the same session. */
export function maySucceedLater(kind: ProblemKind): boolean {
  return !["expired", "signedOut", "forbidden", "otherTenant", "tenantNeeded", "notUnderstood", "gone", "full"].includes(kind);
}
