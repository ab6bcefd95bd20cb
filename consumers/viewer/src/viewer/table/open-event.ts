/** The event whose details are open, from the list or from a link. */
import { Problem } from "../../api/problem.js";
import type { AuditEvent } from "../../api/types.js";
import { eventPath, referenceOf } from "../../model/identity.js";
import type { ViewerState } from "../viewer-state.js";

export class OpenEvent {
  /** The reference of the event in the address, or "" if no event is open. */
  reference = "";
  /** Null while it is loading. */
  event: AuditEvent | null = null;
  problem: Problem | null = null;

  private controller: AbortController | null = null;

  constructor(
    private readonly viewer: ViewerState,
    private readonly onChange: () => void,
  ) {}

  /** Opens the event for a reference. `find` returns the event if it is in memory. */
  open(reference: string, find: (reference: string) => AuditEvent | null): void {
    if (reference === this.reference) return;
    this.close();
    this.reference = reference;
    this.event = reference ? find(reference) : null;
    if (reference && !this.event) void this.fetch();
  }

  /** Opens this event, since its reference alone could be ambiguous. */
  set(event: AuditEvent): void {
    this.close();
    this.reference = referenceOf(event);
    this.event = event;
  }

  /** Updates the event from the list, since it may now be in conflict with another. */
  update(current: AuditEvent | null): void {
    if (current?.conflict && this.event && !this.event.conflict) this.event = current;
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
