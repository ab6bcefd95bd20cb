/** The origin of the audit service, as browsers reach it. */
export const SERVICE = new URL(process.env.AUDITLANE_SERVE_URL ?? "http://localhost:8000").origin;
