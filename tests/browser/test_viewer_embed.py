"""Runs the unmodified examples in `docs/examples/embed` with the real service. Each runs with its own backend, on
another origin.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fixtures.host_page import complaints
from fixtures.site import Site
from playwright.sync_api import FrameLocator, Page, expect

BACKEND = Path(__file__).parent.parent.parent / "docs" / "examples" / "embed" / "backend.py"


@contextmanager
def backend(site: Site, example: str, tenant: str, node: list[str]) -> Iterator[str]:
    """Run the example's backend with the variables that `auditlane env` prints, and yield the page's address."""
    path = os.pathsep.join([str(Path(sys.executable).parent), str(Path(node[0]).parent), os.environ["PATH"]])
    env = os.environ | {
        "PATH": path,
        "AUDITLANE_SERVE_URL": site.url,
        "AUDITLANE_KEYS_FILE": str(site.served.settings.keys_file),
        "AUDITLANE_SIGNING_KEYS_FILE": str(site.served.settings.signing_keys_file),
    }
    command = [sys.executable, str(BACKEND), example, "--tenant", tenant, "--port", str(site.free_port)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        # npm writes to the same output if the example has to be built.
        url = next((line.strip() for line in process.stdout if line.startswith("http")), "")
        assert url, f"the backend exited with {process.wait()}"
        yield url
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.mark.parametrize("example", ["plain", "react", "iframe"])
def test_an_example_shows_the_log_and_downloads_it(
    site: Site, unique: str, page: Page, node: list[str], example: str
) -> None:
    site.fill(unique, 30)
    messages = complaints(page)
    with backend(site, example, unique, node) as url:
        assert url == f"http://localhost:{site.free_port}"
        page.goto(url)
        container: Page | FrameLocator = page.frame_locator("iframe") if example == "iframe" else page
        viewer = container.locator("auditlane-viewer")
        expect(viewer.get_by_role("heading", level=2)).to_contain_text(unique)
        expect(viewer.get_by_role("row").nth(10)).to_be_visible()
        viewer.get_by_role("button", name="Download", exact=True).click()
        dialog = viewer.get_by_role("dialog")
        expect(dialog).to_contain_text("events")
        with page.expect_download() as download:  # also works in a frame, and from another origin
            dialog.get_by_role("button", name="Download CSV").click()
        assert len(download.value.path().read_bytes().splitlines()) > 30
        page.keyboard.press("Escape")
        if example == "react":
            page.get_by_role("button", name="Dark").click()
            expect(viewer).to_have_attribute("theme", "dark")
            expect(viewer.get_by_role("row").nth(10)).to_be_visible()
        assert messages == []


def test_the_react_example_reports_a_backend_without_tokens(
    site: Site, unique: str, page: Page, node: list[str]
) -> None:
    site.fill(unique, 30)
    page.route("**/audit-token", lambda route: route.fulfill(status=500, body="no"))
    with backend(site, "react", unique, node) as url:
        page.goto(url)
        alert = page.get_by_role("alert").filter(has_text="The audit log cannot be loaded.")
        expect(alert).to_be_visible()
        page.unroute("**/audit-token")
        alert.get_by_role("button", name="Try again").click()
        expect(page.locator("auditlane-viewer").get_by_role("row").nth(10)).to_be_visible()
        expect(alert).to_have_count(0)


def test_a_content_policy_with_a_nonce_alone_is_enough(site: Site, unique: str, page: Page) -> None:
    """The policy lists neither hosts nor `strict-dynamic` for scripts, so the nonce must cover the modules loaded on
    demand.
    """
    site.fill(unique, 20)
    messages = complaints(page)
    policy = f"default-src 'none'; script-src 'nonce-n0nce'; connect-src {site.url}; img-src data:"
    address = site.vendor.put(
        f"/{unique}.html",
        f'<!doctype html><html lang="de"><head><title>Vendor</title><link rel="icon" href="data:,">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<script type="module" nonce="n0nce" src="{site.url}/static/viewer/auditlane-viewer.js"></script></head>'
        f'<body><auditlane-viewer base-url="{site.url}" token="{site.token(unique)}"></auditlane-viewer></body></html>',
    )
    page.goto(address)
    viewer = page.locator("auditlane-viewer")
    expect(viewer.get_by_role("row").nth(10)).to_be_visible()
    viewer.locator("auditlane-histogram .fold").click()  # the element has the least height, so the chart begins folded
    expect(viewer.get_by_role("listbox")).to_be_visible()
    viewer.locator("auditlane-table .row[aria-rowindex]").first.click()
    expect(viewer.locator("auditlane-details")).to_be_visible()
    viewer.get_by_role("button", name="Download", exact=True).or_(
        viewer.get_by_role("button", name="Herunterladen", exact=True)
    ).click()
    expect(viewer.get_by_role("dialog")).to_contain_text("CSV")
    assert messages == []
