/** When a reader last had a tenant's log open, kept in the browser to mark events that are new since then. */

export interface Visit {
  /** The end of the previous visit, in ms since 1970; null during the first. */
  since: number | null;
  /** When the log was last open, in ms since 1970; null before the first visit. */
  seen: number | null;
}

export const NO_VISIT: Visit = { since: null, seen: null };
const PAUSE_MS = 30 * 60_000; // shorter pauses, such as a reload, continue the same visit

/** Returns the visit at `now`, in ms: the stored one, or a new one after a pause. */
export function visitAt(stored: Visit, now: number): Visit {
  const ended = stored.seen !== null && now - stored.seen >= PAUSE_MS;
  return { since: ended ? stored.seen : stored.since, seen: now };
}

/** Reads a stored visit, dropping invalid parts. */
export function parseVisit(stored: unknown): Visit {
  const { since, seen } = { ...(stored as Partial<Record<keyof Visit, unknown>> | null) };
  const time = (value: unknown): number | null => (Number.isFinite(value) ? (value as number) : null);
  return { since: time(since), seen: time(seen) };
}

/** Reads and writes visits. Does nothing in browsers without storage (private windows, third-party frames). */
export class VisitStore {
  private readonly key: string;

  constructor(tenant: string, user: string) {
    this.key = `auditlane:${tenant}:${user}:visit`;
  }

  read(): Visit {
    try {
      return parseVisit(JSON.parse(localStorage.getItem(this.key) ?? "{}"));
    } catch {
      return NO_VISIT;
    }
  }

  write(visit: Visit): void {
    try {
      localStorage.setItem(this.key, JSON.stringify(visit));
    } catch {
      // Without storage, nothing is marked.
    }
  }
}
