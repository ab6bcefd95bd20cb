/** The event whose details are open: one of the list, or one that only a link names. */
import { Problem } from "../../api/problem.js";
import type { AuditEvent } from "../../api/types.js";
import type { Log } from "../log.js";

export class Opened {
  id = "";
  /** Null while it is awaited. */
  event: AuditEvent | null = null;
  problem: Problem | null = null;

  private stop: AbortController | null = null;

  constructor(
    private readonly log: Log,
    private readonly changed: () => void,
  ) {}

  /** This event is to be open; `find` gives those that are at hand. */
  look(id: string, find: (id: string) => AuditEvent | null): void {
    if (id === this.id) return;
    this.close();
    this.id = id;
    this.event = id ? find(id) : null;
    if (id && !this.event) void this.ask();
  }

  again(): void {
    this.problem = null;
    this.changed();
    void this.ask();
  }

  close(): void {
    this.stop?.abort();
    this.event = this.problem = null;
    this.id = "";
  }

  private async ask(): Promise<void> {
    const stop = (this.stop = new AbortController());
    try {
      this.event = await this.log.client.json<AuditEvent>(`/v1/events/${encodeURIComponent(this.id)}`, { signal: stop.signal });
    } catch (cause) {
      const problem = Problem.of(cause);
      if (stop.signal.aborted) return;
      this.problem = problem;
    }
    if (!stop.signal.aborted) this.changed();
  }
}
