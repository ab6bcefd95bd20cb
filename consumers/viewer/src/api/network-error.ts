/** A network, but no answer from a service of another origin: it is away, or it does not list the page's origin. */
import { Problem } from "./problem.js";

const warnedOrigins = new Set<string>();

/** The same problem, or UNREACHABLE; browsers hide from pages which of the two it is. The console is told once a service. */
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
