"""Measures the bytes, requests, time and layout shift of the embedded page. The figures are reported, and only their
limits are asserted.

`make bench-embed` (LOADS=10). A vendor's page embeds `/embed` in an iframe and passes it a token with postMessage. Each
load uses a fresh browser profile. `auditlane serve` runs in this process, on the same machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import pytest
from fixtures.site import Site
from playwright.sync_api import Browser, Response, sync_playwright

LOADS = int(os.environ.get("LOADS", "10"))
HOST = """
const frame = document.querySelector("iframe");
window.addEventListener("message", (event) => {
  if (event.source !== frame.contentWindow || event.data.type !== "auditlane:ready") return;
  frame.contentWindow.postMessage({ type: "auditlane:token", token: TOKEN }, "*");
});
"""
# Inside the frame: time of the first row, layout shift before and after it, time the main thread was busy.
WATCH = """
if (window !== top) {
  window.shift = 0;
  window.longest = 0;
  const watch = (type, take) =>
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
  watch("layout-shift", (entry) => entry.hadRecentInput || (window.shift += entry.value));
  watch("longtask", (entry) => (window.longest = Math.max(window.longest, entry.duration)));
  watch("paint", (entry) => entry.name === "first-contentful-paint" && (window.painted = entry.startTime));
  const find = () => {
    const table = document.querySelector("auditlane-viewer")?.shadowRoot?.querySelector("auditlane-table");
    if (table?.shadowRoot?.querySelector(".row:not(.waits)")) window.rows = performance.now();
    else requestAnimationFrame(find);
  };
  requestAnimationFrame(find);
}
"""


def load(launch: Callable[[], Browser], url: str) -> dict[str, Any]:
    browser = launch()
    page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-US")
    answers: list[Response] = []
    messages: list[str] = []
    page.on("response", lambda response: answers.append(response))
    page.on("console", lambda message: messages.append(message.text))
    page.add_init_script(WATCH)
    page.goto(url)
    frame = page.frames[1]
    frame.locator("auditlane-table .row:not(.waits)").first.wait_for()
    page.wait_for_load_state("networkidle")
    first = [one for one in answers if "/static/" in one.url or "/embed" in one.url]
    found = {
        "requests": len(first),
        "API requests": len([one for one in answers if "/v1/" in one.url]),
        "kB": sum(one.request.sizes()["responseBodySize"] for one in first) / 1000,
        **frame.evaluate("({paint: window.painted, rows: window.rows, shift: window.shift, longest: window.longest})"),
        "said": messages,
    }
    browser.close()
    return found


@pytest.fixture
def url(site: Site, unique: str) -> str:
    site.generate(unique, 100_000)
    vendor = site.vendor
    vendor.put("/bench.js", HOST.replace("TOKEN", f'"{site.token(unique)}"'), "text/javascript")
    return vendor.put(
        "/bench.html",
        '<!doctype html><html lang="en"><title>Vendor</title><link rel="icon" href="data:,">'
        f'<iframe src="{site.url}/embed" width="1270" height="780"></iframe><script src="/bench.js"></script></html>',
    )


def test_embedded_page_in_a_frame(chromium: tuple[str, list[str], dict[str, str]], url: str) -> None:
    path, flags, env = chromium
    with sync_playwright() as playwright:
        launch = partial(playwright.chromium.launch, executable_path=path, args=flags, env=os.environ | env)
        loads = [load(launch, url) for _ in range(LOADS)]
    middle = {name: median(one[name] for one in loads) for name in loads[0] if name != "said"}
    rows = sorted(one["rows"] for one in loads)
    print(
        f"\n/embed, {LOADS} first loads, 100,000 events"
        f"\n  files                {middle['requests']:.0f}, {middle['kB']:.0f} kB as sent"
        f"\n  requests of the API  {middle['API requests']:.0f}"
        f"\n  first paint          {middle['paint']:.0f} ms"
        f"\n  first rows           {middle['rows']:.0f} ms, at most {rows[-1]:.0f} ms"
        f"\n  layout shift         {middle['shift']:.3f}, at most {max(one['shift'] for one in loads):.3f}"
        f"\n  longest task         {middle['longest']:.0f} ms"
        f"\n  console messages     {sum(len(one['said']) for one in loads)}"
    )
    assert [one["said"] for one in loads] == [[]] * LOADS
    assert max(one["shift"] for one in loads) < 0.1  # "good" according to web.dev
    assert middle["kB"] < 130
