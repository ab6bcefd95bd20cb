/** The browser's history: each look is a step of it, going back is a look, and the settings are left by consent alone. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

import { invalidRangeIn } from "../model/range.js";
import { searchFromView, type View, viewFromSearch } from "../model/view.js";
import type { ViewerState } from "./viewer-state.js";

interface Hooks {
  viewer: () => ViewerState | null;
  /** Asks the person, where something is not saved. */
  confirmLeave: () => Promise<boolean>;
  /** The settings are left. */
  onLeft: () => void;
}

export class HistoryController implements ReactiveController {
  private restoring = false;
  private leaving = false;

  constructor(
    host: ReactiveControllerHost,
    private readonly hooks: Hooks,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    window.addEventListener("popstate", this.onPopState);
  }

  hostDisconnected(): void {
    window.removeEventListener("popstate", this.onPopState);
  }

  /** Looks at what the address says, if that is to say it. Without, nothing touches the history. */
  start(viewer: ViewerState, usesAddress: boolean): void {
    viewer.usesAddress = usesAddress;
    if (usesAddress) {
      viewer.view = viewFromSearch(location.search);
      viewer.invalidRange = invalidRangeIn(new URLSearchParams(location.search));
    }
    viewer.addEventListener("view-change", () => this.push(viewer));
  }

  /** Out of the settings: to where the history has gone meanwhile, or to the same view without them. */
  async leaveSettings(viewer: ViewerState): Promise<void> {
    if (this.leaving) return; // it is being asked
    this.leaving = true;
    const goes = await this.hooks.confirmLeave();
    if (goes) await viewer.reload(); // columns and switch may be others now
    this.leaving = false;
    if (viewer !== this.hooks.viewer()) return;
    if (!goes) return this.push(viewer); // the address again that Back has taken away
    const view = viewer.usesAddress ? viewFromSearch(location.search) : viewer.view;
    if (viewer.usesAddress && !view.settings) this.restore(viewer, view);
    else viewer.setView({ ...view, settings: false });
    this.hooks.onLeft();
  }

  private push(viewer: ViewerState): void {
    if (!viewer.usesAddress || this.restoring || searchFromView(viewer.view) === searchFromView(viewFromSearch(location.search))) return;
    history.pushState(null, "", `${location.pathname}${searchFromView(viewer.view, location.search)}${location.hash}`);
  }

  /** To another view; a host's own ways, to a hash or a parameter of its own, change nothing. */
  private readonly onPopState = (): void => {
    const viewer = this.hooks.viewer();
    const view = viewFromSearch(location.search);
    if (!viewer?.usesAddress || searchFromView(view) === searchFromView(viewer.view)) return;
    if (viewer.view.settings && !view.settings) void this.leaveSettings(viewer);
    else this.restore(viewer, view);
  };

  private restore(viewer: ViewerState, view: View): void {
    this.restoring = true; // what is seen then has its place in the history already
    viewer.setView(view);
    this.restoring = false;
  }
}
