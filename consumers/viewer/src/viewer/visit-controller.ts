/** Records when the reader has the log open, and marks events that are new since the last visit. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

import { type Visit, visitAt, VisitStore } from "../model/visit.js";
import type { ViewerState } from "./viewer-state.js";

export class VisitController implements ReactiveController {
  private store: VisitStore | null = null;
  private visit: Visit | null = null;

  constructor(host: ReactiveControllerHost) {
    host.addController(this);
  }

  hostConnected(): void {
    document.addEventListener("visibilitychange", this.onVisibility);
  }

  hostDisconnected(): void {
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.note();
  }

  /** Begins or continues the visit of a reader whose session is known. */
  begin(viewer: ViewerState): void {
    if (!viewer.session) return;
    this.store = new VisitStore(viewer.tenant, viewer.session.user);
    this.visit = visitAt(this.store.read(), Date.now());
    this.store.write(this.visit);
    viewer.setNewSince(this.visit.since);
  }

  private readonly onVisibility = (): void => {
    if (document.hidden) this.note();
  };

  private note(): void {
    if (this.visit) this.store?.write({ ...this.visit, seen: Date.now() });
  }
}
