/** The event whose details are open: one of the list, or one that only a link names. */
import { Problem } from "../../api/problem.js";
import type { AuditEvent } from "../../api/types.js";
import { eventPath, referenceOf } from "../../model/identity.js";
import type { ViewerState } from "../viewer-state.js";

export class OpenEvent {
  /** What the address names it by; "" when none is open. */
  reference = "";
  /** Null while it is awaited. */
  event: AuditEvent | null = null;
  problem: Problem | null = null;

  private controller: AbortController | null = null;

  constructor(
    private readonly viewer: ViewerState,
    private readonly onChange: () => void,
  ) {}

  /** This event is to be open; `find` gives those that are at hand. */
  open(reference: string, find: (reference: string) => AuditEvent | null): void {
    if (reference === this.reference) return;
    this.close();
    this.reference = reference;
    this.event = reference ? find(reference) : null;
    if (reference && !this.event) void this.fetch();
  }

  /** This one, which may share all that an address says with another. */
  set(event: AuditEvent): void {
    this.close();
    this.reference = referenceOf(event);
    this.event = event;
  }

  /** What the list has of it now: another event may have claimed the same since. */
  update(now: AuditEvent | null): void {
    if (now?.conflict && this.event && !this.event.conflict) this.event = now;
  }

  retry(): void {
    this.problem = null;
    this.onChange();
    void this.fetch();
  }

  close(): void {
    this.controller?.abort();
    this.event = null;
    this.problem = null;
    this.reference = "";
  }

  private async fetch(): Promise<void> {
    const controller = (this.controller = new AbortController());
    try {
      this.event = await this.viewer.client.json<AuditEvent>(eventPath(this.reference), { signal: controller.signal });
    } catch (cause) {
      const problem = Problem.from(cause);
      if (controller.signal.aborted) return;
      this.problem = problem;
    }
    if (!controller.signal.aborted) this.onChange();
  }
}
