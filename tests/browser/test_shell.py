"""Tests the pages around the viewer in a real browser: their Content-Security-Policy, reading without scripts, and
frames.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.axe import violations
from fixtures.site import Site, follow, wait_for
from playwright.sync_api import BrowserContext, ConsoleMessage, Frame, Page, expect

from auditlane.access.links import Page as LinkTarget

READY = "document.querySelector('auditlane-viewer')?.viewer?.phase === 'ready'"
HOST_SCRIPT = """
const received = [];
const frame = document.querySelector("iframe");
window.received = received;
window.addEventListener("message", (event) => received.push([event.origin, event.data.type]));
window.send = (token) => frame.contentWindow.postMessage({ type: "auditlane:token", token }, "*");
"""


@pytest.fixture
def console_messages(page: Page) -> list[str]:
    """Collect the browser's console messages, which report policy violations, failed requests and script errors."""
    found: list[str] = []

    def on_console_message(message: ConsoleMessage) -> None:
        found.append(f"{message.type}: {message.text}")

    page.on("console", on_console_message)
    return found


def test_the_viewer_runs_under_the_services_content_policy(
    site: Site, unique: str, page: Page, console_messages: list[str]
) -> None:
    site.fill(unique, 20)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        site.sign_in(page, unique)
        wait_for(page, READY)
        assert page.evaluate("document.styleSheets.length") > 0
    expect(page.get_by_role("heading", level=1)).to_contain_text(unique)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 26)"
    assert console_messages == []


def test_a_link_opens_the_viewer_and_signing_out_ends_the_session(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 5)
    page.goto(site.link(unique))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Open the audit log")
    page.get_by_role("button", name="Open the audit log").click()
    assert page.url == f"{site.url}/"
    wait_for(page, READY)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("You are signed out")
    page.goto(site.url)
    expect(page.locator("main")).to_contain_text("Open the log from your application")
    expect(page.locator("code")).to_have_count(0)  # no command, since the reader need not be an operator


def test_a_shared_link_is_shown_after_signing_in(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 5)
    page.goto(f"{site.url}/?query=outcome%3Asuccess&range=7d")
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in")
    expect(page.locator("main")).to_contain_text("You will then see what this link shows.")
    assert violations(page, "main") == []
    follow(page, site.link(unique))
    wait_for(page, READY)
    assert page.url == f"{site.url}/?query=outcome%3Asuccess&range=7d"
    follow(page, site.link(unique))  # once
    wait_for(page, READY)
    assert page.url == f"{site.url}/"


def test_without_scripts_the_page_links_to_the_plain_page(site: Site, unique: str, context: BrowserContext) -> None:
    site.fill(unique, 20)
    browser = context.browser
    assert browser
    bare = browser.new_context(java_script_enabled=False)
    try:
        page = bare.new_page()
        site.sign_in(page, unique)
        page.get_by_role("link", name="Open the plain page").click()
        expect(page.locator("tr.event")).to_have_count(20)
        expect(page.get_by_role("link", name="Viewer")).to_be_visible()
    finally:
        bare.close()


def open_in_frame(site: Site, page: Page, src: str, origin: str) -> Frame:
    """Open a vendor's page on this origin that shows `src` in a frame, and return the frame."""
    site.vendor.put("/product.html", f'<!doctype html><iframe src="{src}" width=900 height=600></iframe>'
                                     '<script src="/host.js"></script>')  # fmt: skip
    site.vendor.put("/host.js", HOST_SCRIPT, "text/javascript")
    page.goto(origin + "/product.html")
    element = page.locator("iframe").element_handle()
    frame = element.content_frame() if element else None
    assert frame
    return frame


@pytest.mark.parametrize("where", ["origin", "other_site"])
def test_a_frame_accepts_a_token_from_a_message(site: Site, unique: str, page: Page, where: str) -> None:
    site.fill(unique, 20)
    frame = open_in_frame(site, page, f"{site.url}/embed?lang=en", getattr(site.vendor, where))
    wait_for(page, "received.length > 0")
    assert page.evaluate("received") == [[site.url, "auditlane:ready"]]
    expect(frame.locator("[data-note=waiting]")).to_be_visible()
    page.evaluate("token => send(token)", site.token(unique))
    wait_for(frame, READY)
    expect(frame.locator("[data-note=waiting]")).to_be_hidden()
    assert frame.evaluate("document.querySelector('auditlane-viewer').viewer.tenant") == unique


def test_a_frame_requests_a_new_token_when_its_token_has_expired(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 20)
    frame = open_in_frame(site, page, f"{site.url}/embed", site.vendor.origin)
    wait_for(page, "received.length > 0")
    page.evaluate("token => send(token)", site.token_that_ends(unique, seconds=-1))
    wait_for(page, "received.some(([, type]) => type === 'auditlane:token-expired')")
    page.evaluate("token => send(token)", site.token(unique))
    wait_for(frame, READY)


def test_a_frame_uses_the_session_of_a_link(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 20)
    frame = open_in_frame(site, page, site.link(unique, page=LinkTarget.embed), site.vendor.origin)
    wait_for(frame, READY)
    assert frame.url == f"{site.url}/embed"


def test_tokens_from_other_windows_and_origins_are_ignored(site: Site, unique: str, page: Page) -> None:
    """Only messages from the embedding page are accepted. Messages from other windows of a listed origin
    are ignored.
    """
    frame = open_in_frame(site, page, f"{site.url}/embed", site.vendor.origin)
    wait_for(page, "received.length > 0")
    frame.evaluate("token => window.postMessage({ type: 'auditlane:token', token }, '*')", site.token(unique))
    frame.evaluate(
        "token => window.dispatchEvent(new MessageEvent('message', { data: { type: 'auditlane:token', token },"
        " origin: 'https://elsewhere.example', source: window.parent }))",
        site.token(unique),
    )
    expect(frame.locator("[data-note=waiting]")).to_be_visible()
    assert frame.locator("auditlane-viewer").count() == 0


def test_only_the_embed_page_can_be_framed(site: Site, unique: str, page: Page, console_messages: list[str]) -> None:
    frame = open_in_frame(site, page, f"{site.url}/plain", site.vendor.origin)
    wait_for(page, "document.readyState === 'complete'")
    assert frame.locator("main").count() == 0
    assert any("frame-ancestors" in one for one in console_messages)


def test_the_embed_page_explains_itself_outside_a_frame(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/embed")
    expect(page.locator("[data-note=alone]")).to_be_visible()


def test_a_page_of_another_origin_can_load_the_viewer_with_a_script_tag(
    site: Site, unique: str, page: Page, console_messages: list[str]
) -> None:
    site.fill(unique, 20)
    address = site.vendor.put(
        "/tag.html",
        f'<!doctype html><html lang="en"><title>t</title><link rel="icon" href="data:,">'
        f'<script type="module" src="{site.url}/static/viewer/auditlane-viewer.js"></script>'
        f'<auditlane-viewer base-url="{site.url}" token="{site.token(unique)}"></auditlane-viewer>',
    )
    for host in (site.vendor.origin, site.vendor.other_site):
        page.goto(address.replace(site.vendor.origin, host))
        wait_for(page, READY)
        assert page.evaluate("document.querySelector('auditlane-viewer').viewer.tenant") == unique
    assert console_messages == []


def test_the_pages_around_the_viewer_are_accessible(site: Site, unique: str, page: Page, node_modules: Path) -> None:
    site.fill(unique, 5)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.context.clear_cookies()
        page.goto(f"{site.url}/embed")
        expect(page.locator("[data-note=alone]")).to_be_visible()
        assert violations(page, whole_page=True) == []
        site.sign_in(page, unique)
        page.goto(site.url + "/plain")
        assert violations(page, whole_page=True) == []
