/** The browser's history: each look is a step of it, going back is a look, and the settings are left by consent alone. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

import { unreadIn } from "../model/range.js";
import { searchOf, type View, viewOf } from "../model/view.js";
import type { Log } from "./viewer-state.js";

interface Given {
  log: () => Log | null;
  /** Asks the person, where something is not saved. */
  mayLeave: () => Promise<boolean>;
  /** The settings are left. */
  left: () => void;
}

export class Steps implements ReactiveController {
  private returning = false;
  private leaving = false;

  constructor(
    host: ReactiveControllerHost,
    private readonly given: Given,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    window.addEventListener("popstate", this.back);
  }

  hostDisconnected(): void {
    window.removeEventListener("popstate", this.back);
  }

  /** Looks at what the address says, if that is to say it. Without, nothing touches the history. */
  begin(log: Log, linked: boolean): void {
    log.linked = linked;
    if (linked) [log.view, log.unread] = [viewOf(location.search), unreadIn(new URLSearchParams(location.search))];
    log.addEventListener("look", () => this.remember(log));
  }

  /** Out of the settings: to where the history has gone meanwhile, or to the same view without them. */
  async leave(log: Log): Promise<void> {
    if (this.leaving) return; // it is being asked
    this.leaving = true;
    const goes = await this.given.mayLeave();
    if (goes) await log.read(); // columns and switch may be others now
    this.leaving = false;
    if (log !== this.given.log()) return;
    if (!goes) return this.remember(log); // the address again that Back has taken away
    const view = log.linked ? viewOf(location.search) : log.view;
    if (log.linked && !view.settings) this.return(log, view);
    else log.look({ ...view, settings: false });
    this.given.left();
  }

  private remember(log: Log): void {
    if (!log.linked || this.returning || searchOf(log.view) === searchOf(viewOf(location.search))) return;
    history.pushState(null, "", `${location.pathname}${searchOf(log.view, location.search)}${location.hash}`);
  }

  /** To another view; a host's own ways, to a hash or a parameter of its own, change nothing. */
  private readonly back = (): void => {
    const log = this.given.log();
    const view = viewOf(location.search);
    if (!log?.linked || searchOf(view) === searchOf(log.view)) return;
    if (log.view.settings && !view.settings) void this.leave(log);
    else this.return(log, view);
  };

  private return(log: Log, view: View): void {
    this.returning = true; // what is seen then has its place in the history already
    log.look(view);
    this.returning = false;
  }
}
