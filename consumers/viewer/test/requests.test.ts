import { beforeEach, describe, expect, it, vi } from "vitest";

import { Problem } from "../src/api/problem.js";
import type { AuditEvent, EventPage } from "../src/api/types.js";
import { RequestController } from "../src/elements/request-controller.js";
import { DEFAULT_VIEW, type View } from "../src/model/view.js";
import { CountRefresh, DELAY_MS } from "../src/viewer/count-refresh.js";
import { Failures } from "../src/viewer/failures.js";
import { Loader } from "../src/viewer/table/loader.js";
import type { ViewerState } from "../src/viewer/viewer-state.js";

const AWAY = new Problem(503, "STORE_UNAVAILABLE", "", "", "", null, 7);
const host = { addController: () => {}, removeController: () => {}, requestUpdate: () => {}, updateComplete: Promise.resolve(true) };

/** Resolves after pending responses have been handled. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe("a request controller", () => {
  const onResult = vi.fn<(problem: Problem | null) => void>();
  let controller: RequestController<number>;
  beforeEach(async () => {
    onResult.mockReset();
    controller = new RequestController<number>(host, onResult);
    controller.request("a", () => Promise.resolve(7), { revision: 0 });
    await settled();
  });

  it("sends once per revision, and keeps the result when repeating fails", async () => {
    const ask = vi.fn<() => Promise<number>>(() => Promise.reject(AWAY));
    controller.request("a", ask, { revision: 0 });
    expect(ask).not.toHaveBeenCalled();
    controller.request("a", ask, { revision: 1 });
    expect([controller.pending, controller.outdated]).toEqual([true, false]);
    await settled();
    expect([controller.result, controller.problem]).toEqual([7, AWAY]);
    expect(onResult.mock.calls).toEqual([[null], [AWAY]]);
    controller.invalidate();
    controller.request("a", () => Promise.resolve(8), { revision: 1 });
    await settled();
    expect([controller.result, controller.problem]).toEqual([8, null]);
  });

  it("keeps no result of another key", async () => {
    controller.request("b", () => Promise.reject(AWAY));
    expect([controller.result, controller.outdated]).toEqual([7, true]); // outdated
    await settled();
    expect([controller.result, controller.problem]).toEqual([null, AWAY]);
    controller.hostDisconnected();
    expect(onResult).toHaveBeenLastCalledWith(null);
  });
});

describe("failures", () => {
  it("are retried together, each once", () => {
    const [changed, retry] = [vi.fn<() => void>(), vi.fn<() => void>()];
    const failures = new Failures(changed);
    const [one, other] = [{}, {}];
    failures.set(one, null);
    expect(changed).not.toHaveBeenCalled();
    failures.set(one, { problem: AWAY, keepsData: true, shownInPlace: false, retry });
    failures.set(other, { problem: new Problem(0, "OFFLINE", ""), keepsData: false, shownInPlace: false, retry });
    expect([failures.first?.problem.code, failures.wait, failures.shownInPlace]).toEqual(["OFFLINE", 7, false]);
    failures.retryAll();
    failures.retryAll();
    expect(retry).toHaveBeenCalledTimes(2);
    failures.set(other, null);
    failures.set(one, { problem: AWAY, keepsData: true, shownInPlace: true, retry });
    failures.retryAll();
    expect([retry.mock.calls.length, failures.shownInPlace]).toEqual([3, true]);
  });
});

describe("a count refresh", () => {
  it("runs once in ten seconds, and not while the page is hidden", () => {
    vi.useFakeTimers();
    const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(false);
    const count = vi.fn<() => void>();
    const countRefresh = new CountRefresh(count);
    vi.advanceTimersByTime(10 * DELAY_MS);
    expect(count).not.toHaveBeenCalled(); // nothing arrived
    for (let arrivals = 0; arrivals < 15; arrivals++) {
      countRefresh.schedule();
      vi.advanceTimersByTime(DELAY_MS / 10);
    }
    expect(count).toHaveBeenCalledTimes(1);
    hidden.mockReturnValue(true);
    vi.advanceTimersByTime(5 * DELAY_MS);
    countRefresh.schedule();
    expect(count).toHaveBeenCalledTimes(1);
    hidden.mockReturnValue(false);
    document.dispatchEvent(new Event("visibilitychange"));
    expect(count).toHaveBeenCalledTimes(2);
    countRefresh.schedule();
    countRefresh.close();
    vi.advanceTimersByTime(5 * DELAY_MS);
    expect(count).toHaveBeenCalledTimes(2);
    vi.useRealTimers();
    hidden.mockRestore();
  });
});

describe("the list's loader", () => {
  let respond: () => Promise<EventPage>;
  let view: View;
  let failures: Failures;
  let loader: Loader;
  const page = (...ids: string[]): Promise<EventPage> =>
    Promise.resolve({ data: ids.map((id) => ({ event_id: id, occurred_at: "2026-01-01T00:00:00Z" }) as AuditEvent), next: null, prev: null });
  const shown = (): unknown => loader.pages.at(0)?.event_id;
  const state = (): object => ({ stale: loader.stale, outdated: loader.outdated, busy: loader.busy, problem: loader.problem });

  beforeEach(async () => {
    view = DEFAULT_VIEW;
    failures = new Failures(() => {});
    const viewer = { failures, filter: () => [], client: { json: () => respond() }, prefetch: { take: () => null }, get view() { return view; } };
    loader = new Loader(viewer as unknown as ViewerState, () => {});
    respond = () => page("a");
    loader.begin();
    await settled();
  });

  it("keeps the rows when a refresh fails, and retries with the others", async () => {
    respond = () => Promise.reject(AWAY);
    loader.begin();
    expect(state()).toEqual({ stale: true, outdated: false, busy: true, problem: null });
    await settled();
    expect([shown(), state()]).toEqual(["a", { stale: false, outdated: false, busy: false, problem: null }]);
    expect(failures.first).toMatchObject({ problem: AWAY, keepsData: true, shownInPlace: false });
    respond = () => page("b");
    failures.retryAll();
    await settled();
    expect([shown(), failures.first]).toEqual(["b", null]);
  });

  it("marks rows of a previous query, and is not busy after a failure", async () => {
    view = { ...view, query: "x" };
    respond = () => Promise.reject(AWAY);
    loader.begin();
    expect(state()).toMatchObject({ outdated: true, busy: true });
    await settled();
    expect(state()).toEqual({ stale: true, outdated: true, busy: false, problem: AWAY });
    expect(failures.first).toMatchObject({ keepsData: false, shownInPlace: true });
    respond = () => page("c");
    failures.retryAll();
    await settled();
    expect([shown(), state()]).toEqual(["c", { stale: false, outdated: false, busy: false, problem: null }]);
  });

  it("returns to the rows of the same query when cancelled, and has none of another", () => {
    respond = () => new Promise(() => {});
    loader.begin();
    loader.cancel();
    expect([loader.cancelled, state()]).toEqual([false, { stale: false, outdated: false, busy: false, problem: null }]);
    view = { ...view, query: "x" };
    loader.begin();
    loader.cancel();
    expect([loader.cancelled, state()]).toEqual([true, { stale: true, outdated: true, busy: false, problem: null }]);
  });
});
