/** The event whose details are open: one of the list, or one that only a link names. */
import { Problem } from "../../api/problem.js";
import type { AuditEvent } from "../../api/types.js";
import { eventPath, referenceOf } from "../../model/identity.js";
import type { ViewerState } from "../viewer-state.js";

export class Opened {
  /** What the address names it by; "" when none is open. */
  reference = "";
  /** Null while it is awaited. */
  event: AuditEvent | null = null;
  problem: Problem | null = null;

  private stop: AbortController | null = null;

  constructor(
    private readonly viewer: ViewerState,
    private readonly changed: () => void,
  ) {}

  /** This event is to be open; `find` gives those that are at hand. */
  look(reference: string, find: (reference: string) => AuditEvent | null): void {
    if (reference === this.reference) return;
    this.close();
    this.reference = reference;
    this.event = reference ? find(reference) : null;
    if (reference && !this.event) void this.ask();
  }

  /** This one, which may share all that an address says with another. */
  take(event: AuditEvent): void {
    this.close();
    this.reference = referenceOf(event);
    this.event = event;
  }

  /** What the list has of it now: another event may have claimed the same since. */
  renew(now: AuditEvent | null): void {
    if (now?.conflict && this.event && !this.event.conflict) this.event = now;
  }

  again(): void {
    this.problem = null;
    this.changed();
    void this.ask();
  }

  close(): void {
    this.stop?.abort();
    this.event = this.problem = null;
    this.reference = "";
  }

  private async ask(): Promise<void> {
    const stop = (this.stop = new AbortController());
    try {
      this.event = await this.viewer.client.json<AuditEvent>(eventPath(this.reference), { signal: stop.signal });
    } catch (cause) {
      const problem = Problem.from(cause);
      if (stop.signal.aborted) return;
      this.problem = problem;
    }
    if (!stop.signal.aborted) this.changed();
  }
}
