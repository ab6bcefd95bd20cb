"""Measures the viewer with a million events: the time until the first rows, the cost per frame while scrolling, and the
memory. The figures are reported, not asserted.

`make bench-viewer` (EVENTS=1000000 LOADS=30 ROWS=100000). It uses one tenant, the embedded engine, `auditlane serve` as
a separate process, and Chromium with software rendering. The cost of a frame is the time that the main thread spends on
script, style and layout between the start of that frame and the start of the next, according to Chromium's trace.
"""

from __future__ import annotations

import json
import os
import statistics
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fixtures.site import Site
from fixtures.workers import World, wait_until
from measured import machine
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page
from querying import Store, store
from serving import ServeProcess

from auditlane.server.auth.cookies import COOKIE

EVENTS = int(os.environ.get("EVENTS", "1000000"))
LOADS = int(os.environ.get("LOADS", "30"))
ROWS = int(os.environ.get("ROWS", "100000"))
SPEEDS = (2_000, 8_000)  # px per second: a reading speed and a skimming speed
PX = 40_000
RESULTS = Path(__file__).parent.parent / "results"
CATEGORIES = "devtools.timeline,devtools.timeline.frame,disabled-by-default-devtools.timeline,v8"
# The main thread's tasks in our code; tasks can be nested.
WORK = {
    "BlinkScheduler_PerformMicrotaskCheckpoint", "EvaluateScript",
    "EventDispatch", "FireAnimationFrame", "FunctionCall",
    "Layout", "MajorGC", "MinorGC", "RunMicrotasks", "TimerFire", "UpdateLayoutTree", "V8.Execute", "v8.callFunction",
}  # fmt: skip
# Records when the first row with an event appears, and exposes the table.
INIT = """
const find = () => {
  const table = document.querySelector("auditlane-viewer")?.shadowRoot?.querySelector("auditlane-table");
  const there = table?.shadowRoot?.querySelector(".row:not(.waits)");
  if (there) [window.firstRows, window.table] = [performance.now(), table];
  else requestAnimationFrame(find);
};
find();
"""
TASK = {"ms": "dur", "cpu_ms": "tdur"}
HEIGHT = 40  # height of a row in px


@pytest.fixture
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        world = cast(World, SimpleNamespace(client=made.client, events=f"{made.database}.events"))
        Site.generate(cast(Site, SimpleNamespace(world=world)), "acme", EVENTS)
        made.client.command(f"OPTIMIZE TABLE {made.database}.events FINAL")
        yield made


@pytest.fixture
def url(filled: Store, viewer_build: Path, tmp_path: Path, context: BrowserContext) -> Iterator[str]:
    process = ServeProcess(
        tmp_path,
        clickhouse_url=filled.settings.clickhouse_url,
        clickhouse_database=filled.database,
        log_level="warning",
    )
    cookie = {"name": COOKIE, "value": process.session("acme"), "url": process.url, "httpOnly": True}
    context.add_cookies([cast(Any, cookie)])
    context.add_init_script(INIT)
    yield process.url
    process.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(locale="en-US", viewport={"width": 1440, "height": 900})
    yield made
    made.close()


def test_viewer(url: str, context: BrowserContext) -> None:
    loads = [first_rows(context, url) for _ in range(LOADS + 1)][1:]  # the first load fills the browser's cache
    report: dict[str, Any] = {"at": datetime.now(UTC).isoformat(), "machine": machine(), "events": EVENTS}
    report["first_rows_ms"] = {"loads": LOADS} | quantiles(loads)
    print(f"\nfirst rows, {LOADS} loads: {shown(report['first_rows_ms'])} ms")

    page = context.new_page()
    page.goto(url)
    wait_until(lambda: page.evaluate("window.firstRows > 0"))
    session = context.new_cdp_session(page)
    page.wait_for_load_state("networkidle")
    before = heap(session)
    for speed in SPEEDS:
        report[f"scrolling_{speed}_px_s"] = printed(scrolled(session, page, speed), f"{speed} px/s")
    to_row(page, ROWS)
    held = int(page.evaluate("window.table.list.pages.loadedRows"))
    report["heap_mb"] = {"before": before, "after": heap(session), "rows_scrolled": ROWS, "rows_held": held}
    print(f"heap {before} MB, after {ROWS} rows {report['heap_mb']['after']} MB, {held} rows held")
    report["scrolling_there"] = printed(scrolled(session, page, SPEEDS[-1]), f"{SPEEDS[-1]} px/s from there on")
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"viewer-{datetime.now(UTC):%Y%m%dT%H%M%S}.json"
    target.write_text(json.dumps(report, indent=2) + "\n")


def printed(found: dict[str, Any], what: str) -> dict[str, Any]:
    print(f"scrolling {what}, {found['frames']} frames, script and layout: {shown(found['frame_ms'])} ms")
    print(f"  of the processor's time: {shown(found['frame_cpu_ms'])} ms; longest task {found['longest_task']}")
    return found


def first_rows(context: BrowserContext, url: str) -> float:
    """Return the milliseconds from the start of the navigation until the frame that shows the first event."""
    page = context.new_page()
    page.goto(url, wait_until="commit")
    wait_until(lambda: page.evaluate("window.firstRows > 0"))
    ms = float(page.evaluate("window.firstRows"))
    page.wait_for_load_state("networkidle")  # one load's requests must not slow down the next load
    page.close()
    return ms


def scrolled(session: CDPSession, page: Page, speed: int) -> dict[str, Any]:
    """Measure the wall and CPU time of script, style and layout per frame, and the longest task.

    On a busy machine, the wall time includes the work of other processes.
    """
    with traced(session) as events:
        grid = page.locator("auditlane-table .grid").bounding_box()
        assert grid
        session.send(
            "Input.synthesizeScrollGesture",
            {
                "x": grid["x"] + 200,
                "y": grid["y"] + 200,
                "yDistance": -PX,
                "speed": speed,
                "gestureSourceType": "mouse",
                "preventFling": True,
            },
        )
    main = busiest([one for one in events if one.get("name") == "FunctionCall"])
    mine = [one for one in events if (one.get("pid"), one.get("tid")) == main]
    begins = sorted(one["ts"] for one in mine if (one["name"], one["ph"]) == ("AnimationFrame", "b"))
    clock, cpu = [0.0] * len(begins), [0.0] * len(begins)
    for event in outermost([one for one in mine if one["name"] in WORK and one.get("dur")]):
        place = bisect_right(begins, event["ts"]) - 1
        if place >= 0:
            clock[place] += event["dur"] / 1_000
            cpu[place] += event.get("tdur", 0) / 1_000
    assert len(begins) > 60, f"only {len(begins)} frames"
    tasks = [one for one in mine if one["name"] == "RunTask" and "dur" in one]
    longest = {name: round(max(one.get(key, 0) for one in tasks) / 1_000, 1) for name, key in TASK.items()}
    found = {"frames": len(begins), "frame_ms": quantiles(clock), "frame_cpu_ms": quantiles(cpu)}
    return found | {"longest_task": longest}


class traced:
    """Traces Chromium while the context is active. The yielded list is complete once the context has exited."""

    def __init__(self, session: CDPSession) -> None:
        self._session, self._events, self._done = session, list[dict[str, Any]](), False
        session.on("Tracing.dataCollected", lambda told: self._events.extend(told["value"]))
        session.on("Tracing.tracingComplete", lambda _: setattr(self, "_done", True))

    def __enter__(self) -> list[dict[str, Any]]:
        config = {"includedCategories": CATEGORIES.split(","), "excludedCategories": ["*"]}
        self._session.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": config})
        return self._events

    def __exit__(self, *_: object) -> None:
        self._session.send("Tracing.end")
        wait_until(lambda: self._session.send("Performance.enable") is not None and self._done)


def busiest(events: list[dict[str, Any]]) -> tuple[int, int]:
    """Return the thread that ran most of these events."""
    threads = [(one["pid"], one["tid"]) for one in events]
    return statistics.mode(threads)


def outermost(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the events that are not nested in another one."""
    end = 0.0
    for one in sorted(events, key=lambda event: (event["ts"], -event["dur"])):
        if one["ts"] >= end:
            yield one
            end = one["ts"] + one["dur"]


def to_row(page: Page, row: int) -> None:
    """Scroll to this row step by step, so that pages are loaded on the way."""
    page.evaluate(
        """([row, height]) => new Promise((resolve) => {
          const grid = window.table.shadowRoot.querySelector(".grid");
          const { list } = window.table;
          const on = () => {
            if (list.pages.forgottenRows + grid.scrollTop / height >= row) return resolve();
            const known = (list.pages.count - 30) * height;
            grid.scrollTop = Math.min(known, grid.scrollTop + 800);
            requestAnimationFrame(on);
          };
          on();
        })""",
        [row, HEIGHT],
    )


def heap(session: CDPSession) -> float:
    """Return the size of the JavaScript heap after a garbage collection, in MB."""
    session.send("HeapProfiler.collectGarbage")
    return round(float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6, 1)


def quantiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = lambda share: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1)  # noqa: E731
    return {"p50": at(0.5), "p95": at(0.95), "max": round(ordered[-1], 1)}


def shown(found: dict[str, Any]) -> str:
    return f"p50 {found['p50']}, p95 {found['p95']}, max {found['max']}"
