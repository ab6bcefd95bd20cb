/** When a reader last had a tenant's log open. Kept in the browser, in order to mark events that are new since then. */

export interface Visit {
  /** The end of the previous visit, in ms since 1970. Null during the first visit. */
  since: number | null;
  /** When the log was last open, in ms since 1970. Null before the first visit. */
  seen: number | null;
}

export const NO_VISIT: Visit = { since: null, seen: null };
const PAUSE_MS = 30 * 60_000; // after a shorter pause, such as a reload, the same visit continues

/** Returns the visit at `now`, in ms. It is the stored visit, or a new one after a pause. */
export function visitAt(stored: Visit, now: number): Visit {
  const ended = stored.seen !== null && now - stored.seen >= PAUSE_MS;
  return { since: ended ? stored.seen : stored.since, seen: now };
}

/** Reads a stored visit. Invalid parts are dropped. */
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
      // Nothing is marked without storage.
    }
  }
}
