"""The pages around the viewer in a real browser: our policy holds, no script is needed to read, frames are let in."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.axe import violations
from fixtures.site import Site, wait_for
from playwright.sync_api import BrowserContext, ConsoleMessage, Frame, Page, expect

from auditlane.access.links import Page as Leads

READY = "document.querySelector('auditlane-viewer')?.viewer?.phase === 'ready'"
TELLER = """
const said = [];
const frame = document.querySelector("iframe");
window.said = said;
window.addEventListener("message", (event) => said.push([event.origin, event.data.type]));
window.send = (token) => frame.contentWindow.postMessage({ type: "auditlane:token", token }, "*");
"""


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser's console says: violations of the policy, failed requests, errors of scripts."""
    found: list[str] = []

    def on_console_message(message: ConsoleMessage) -> None:
        found.append(f"{message.type}: {message.text}")

    page.on("console", on_console_message)
    return found


def test_the_viewer_runs_under_our_policy(site: Site, unique: str, page: Page, complaints: list[str]) -> None:
    site.fill(unique, 20)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        site.sign_in(page, unique)
        wait_for(page, READY)
        assert page.evaluate("document.styleSheets.length") > 0
    expect(page.get_by_role("heading", level=1)).to_contain_text(unique)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 21, 26)"
    assert complaints == []


def test_a_link_opens_it_and_leave_closes_it(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 5)
    page.goto(site.link(unique))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Open the audit log")
    page.get_by_role("button", name="Open the audit log").click()
    assert page.url == f"{site.url}/"
    wait_for(page, READY)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("You are signed out")
    page.goto(site.url)
    expect(page.locator("main")).to_contain_text("auditlane token --link --tenant")


def test_without_script_the_plain_page_is_a_click_away(site: Site, unique: str, context: BrowserContext) -> None:
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


def framed(site: Site, page: Page, src: str, origin: str) -> Frame:
    """A vendor's page of this origin with `src` in a frame; the frame, once it is there."""
    site.vendor.put("/product.html", f'<!doctype html><iframe src="{src}" width=900 height=600></iframe>'
                                     '<script src="/teller.js"></script>')  # fmt: skip
    site.vendor.put("/teller.js", TELLER, "text/javascript")
    page.goto(origin + "/product.html")
    element = page.locator("iframe").element_handle()
    frame = element.content_frame() if element else None
    assert frame
    return frame


@pytest.mark.parametrize("where", ["origin", "other_site"])
def test_in_a_frame_with_a_token_by_message(site: Site, unique: str, page: Page, where: str) -> None:
    site.fill(unique, 20)
    frame = framed(site, page, f"{site.url}/embed?lang=en", getattr(site.vendor, where))
    wait_for(page, "said.length > 0")
    assert page.evaluate("said") == [[site.url, "auditlane:ready"]]
    expect(frame.locator("[data-note=waiting]")).to_be_visible()
    page.evaluate("token => send(token)", site.token(unique))
    wait_for(frame, READY)
    expect(frame.locator("[data-note=waiting]")).to_be_hidden()
    assert frame.evaluate("document.querySelector('auditlane-viewer').viewer.tenant") == unique


def test_a_token_that_has_ended_is_asked_for_again(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 20)
    frame = framed(site, page, f"{site.url}/embed", site.vendor.origin)
    wait_for(page, "said.length > 0")
    page.evaluate("token => send(token)", site.token_that_ends(unique, seconds=-1))
    wait_for(page, "said.some(([, type]) => type === 'auditlane:token-expired')")
    page.evaluate("token => send(token)", site.token(unique))
    wait_for(frame, READY)


def test_in_a_frame_with_a_links_session(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 20)
    frame = framed(site, page, site.link(unique, page=Leads.embed), site.vendor.origin)
    wait_for(frame, READY)
    assert frame.url == f"{site.url}/embed"


def test_other_windows_and_origins_cannot_say_who_looks(site: Site, unique: str, page: Page) -> None:
    """A message from another window of a listed origin is no message from the page around the frame."""
    frame = framed(site, page, f"{site.url}/embed", site.vendor.origin)
    wait_for(page, "said.length > 0")
    frame.evaluate("token => window.postMessage({ type: 'auditlane:token', token }, '*')", site.token(unique))
    frame.evaluate(
        "token => window.dispatchEvent(new MessageEvent('message', { data: { type: 'auditlane:token', token },"
        " origin: 'https://elsewhere.example', source: window.parent }))",
        site.token(unique),
    )
    expect(frame.locator("[data-note=waiting]")).to_be_visible()
    assert frame.locator("auditlane-viewer").count() == 0


def test_only_the_page_for_frames_is_shown_in_one(site: Site, unique: str, page: Page, complaints: list[str]) -> None:
    frame = framed(site, page, f"{site.url}/plain", site.vendor.origin)
    wait_for(page, "document.readyState === 'complete'")
    assert frame.locator("main").count() == 0
    assert any("frame-ancestors" in one for one in complaints)


def test_the_page_for_frames_by_itself_says_what_it_is_for(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/embed")
    expect(page.locator("[data-note=alone]")).to_be_visible()


def test_script_tags_in_a_page_of_another_origin(site: Site, unique: str, page: Page, complaints: list[str]) -> None:
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
    assert complaints == []


def test_axe_finds_nothing_around_the_viewer(site: Site, unique: str, page: Page, node_modules: Path) -> None:
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
