/**
 * Distinguishes a missing network from a service on another origin that does not respond or does not allow the page's
 * origin.
 */
import { Problem } from "./problem.js";

const warnedOrigins = new Set<string>(); // one warning per service, since all viewers on a page share its console

/** Returns the problem, or UNREACHABLE after a warning in the console if the cause may be either. Browsers do not reveal which it is. */
export function classifyNetworkError(problem: Problem, service: string): Problem {
  const { origin } = new URL(service);
  if (problem.code !== "OFFLINE" || !navigator.onLine || origin === location.origin) return problem;
  if (!warnedOrigins.has(origin)) {
    warnedOrigins.add(origin);
    console.warn(
      `auditlane: ${origin} cannot be reached from this page. If the service runs, set AUDITLANE_CORS_ORIGINS=${location.origin} for it and restart it.`,
    );
  }
  return new Problem(0, "UNREACHABLE", problem.detail);
}
