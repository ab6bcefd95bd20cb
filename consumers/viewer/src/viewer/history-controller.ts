/** Keeps the view in the browser's history. Every change of the view adds an entry, and "back" restores a view. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

import { invalidRangeIn } from "../model/range.js";
import { linkedViewIn, searchFromView, type View, viewFromSearch, zoneFromSearch } from "../model/view.js";
import type { ViewerState } from "./viewer-state.js";

interface Hooks {
  viewer: () => ViewerState | null;
  /** Returns the host page's search, for an address without one. */
  hostSearch: () => Pick<View, "query" | "range">;
  /** Asks before unsaved settings are discarded. Resolves to whether the user may leave. */
  confirmLeave: () => Promise<boolean>;
  /** Called after the user has left the settings. */
  onLeft: () => void;
}

const SEARCH = ["query", "range", "from", "to", "view"];

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

  /** Reads the view from the address if `usesAddress` is true. Otherwise, the address and the history are left unchanged. */
  start(viewer: ViewerState, usesAddress: boolean): void {
    viewer.usesAddress = usesAddress;
    viewer.view = { ...viewer.view, ...this.hooks.hostSearch() };
    if (usesAddress) {
      viewer.view = this.addressView;
      viewer.invalidRange = invalidRangeIn(new URLSearchParams(location.search));
      viewer.linkedZone = zoneFromSearch(location.search);
      viewer.savedViews.linked = linkedViewIn(location.search);
    }
    viewer.addEventListener("view-change", () => this.push(viewer));
    viewer.addEventListener("address-change", () => {
      if (usesAddress) history.replaceState(null, "", addressOf(viewer));
    });
  }

  /** Leaves the settings for the view in the address, or for the same view without the settings. */
  async leaveSettings(viewer: ViewerState): Promise<void> {
    if (this.leaving) return; // a confirmation is open
    this.leaving = true;
    const confirmed = await this.hooks.confirmLeave();
    if (confirmed) await viewer.reload(); // the columns and the switch may have changed
    this.leaving = false;
    if (viewer !== this.hooks.viewer()) return;
    if (!confirmed) return this.push(viewer); // restores the address that "back" has removed
    const view = viewer.usesAddress ? this.addressView : viewer.view;
    if (viewer.usesAddress && !view.settings) this.restore(viewer, view);
    else viewer.setView({ ...view, settings: false });
    this.hooks.onLeft();
  }

  private push(viewer: ViewerState): void {
    if (!viewer.usesAddress || this.restoring || searchFromView(viewer.view) === searchFromView(this.addressView)) return;
    history.pushState(null, "", addressOf(viewer));
  }

  /** Restores the view in the address. Ignores the host page's own navigation to a hash or parameter. */
  private readonly onPopState = (): void => {
    const viewer = this.hooks.viewer();
    const view = this.addressView;
    if (!viewer?.usesAddress || searchFromView(view) === searchFromView(viewer.view)) return;
    if (viewer.view.settings && !view.settings) void this.leaveSettings(viewer);
    else this.restore(viewer, view);
  };

  private get addressView(): View {
    const view = viewFromSearch(location.search);
    const given = new URLSearchParams(location.search);
    return SEARCH.some((name) => given.has(name)) ? view : { ...view, ...this.hooks.hostSearch() };
  }

  private restore(viewer: ViewerState, view: View): void {
    this.restoring = true; // the view is already in the history
    viewer.setView(view);
    this.restoring = false;
  }
}

function addressOf(viewer: ViewerState): string {
  return `${location.pathname}${searchFromView(viewer.view, location.search, viewer.chosenZone)}${location.hash}`;
}
