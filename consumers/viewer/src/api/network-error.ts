/** Tells a missing network from a service of another origin that does not answer or does not allow the page's origin. */
import { Problem } from "./problem.js";

const warnedOrigins = new Set<string>(); // the console belongs to the page: one warning for each service

/** Returns the problem, or UNREACHABLE with a warning in the console. Browsers do not tell pages which of the two causes applies. */
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
