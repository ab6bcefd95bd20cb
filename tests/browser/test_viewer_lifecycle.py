"""Tests the viewer's life cycle in a page: inserting and removing it, losing its token, and the browser's history."""

from __future__ import annotations

import re

import pytest
from fixtures.host_page import host_page
from fixtures.site import Site
from fixtures.workers import wait_until
from playwright.sync_api import Page, Request, expect

_FRAMES = "async () => { for (let left = 20; left; left--) await new Promise((done) => requestAnimationFrame(done)); }"


def test_a_removed_viewer_sends_no_more_requests(site: Site, unique: str, page: Page) -> None:
    site.emit({"tenant_id": unique, "action": "login", "actor_id": "u-1"})
    pending: list[Request] = []
    page.on("request", lambda request: pending.append(request) if "/v1/" in request.url else None)
    for end in ("requestfinished", "requestfailed"):
        page.on(end, lambda request: pending.remove(request) if request in pending else None)
    page.goto(host_page(site, unique, [{"token": site.token(unique)}]))
    viewer = page.locator("auditlane-viewer")
    rows = viewer.get_by_role("row").filter(has_text="login")
    expect(rows).to_have_count(1)
    viewer.get_by_role("switch", name="Live").click()
    expect(viewer.get_by_role("switch", name="Live")).to_have_class("following")
    wait_until(lambda: page.evaluate("1") and ["/v1/events/stream" in one.url for one in pending] == [True])

    requested: list[str] = []
    page.evaluate("() => { window.removed = document.querySelector('auditlane-viewer'); }")
    page.on("request", lambda request: requested.append(request.url))
    page.evaluate("() => window.removed.remove()")
    page.evaluate(_FRAMES)
    assert requested == []
    wait_until(lambda: page.evaluate("1") and not pending)

    page.evaluate("() => document.body.append(window.removed)")
    expect(rows).to_have_count(1)


def test_removing_the_token_removes_the_events(site: Site, unique: str, page: Page) -> None:
    site.emit({"tenant_id": unique, "action": "login", "actor_id": "u-1"})
    page.goto(host_page(site, unique, [{"token": site.token(unique)}]))
    viewer = page.locator("auditlane-viewer")
    rows = viewer.get_by_role("row").filter(has_text="login")
    expect(rows).to_have_count(1)
    viewer.evaluate("(element) => element.removeAttribute('token') ?? (element.token = '')")
    expect(rows).to_have_count(0)
    assert page.evaluate("window.expired") == 1  # the viewer has requested the next one
    viewer.evaluate("(element, token) => (element.token = token)", site.token(unique))
    expect(rows).to_have_count(1)


@pytest.mark.parametrize(
    "written", ["?event=&range=soon&live=1&sort=action", "?tab=2&sort=-occurred_at&query=login#/audit"]
)
def test_back_and_forward_work_from_a_hand_written_address(site: Site, unique: str, page: Page, written: str) -> None:
    site.emit(*({"tenant_id": unique, "action": one, "actor_id": "u-1"} for one in ("login", "logout")))
    page.goto(host_page(site, unique, [{"token": site.token(unique), "address": ""}]) + written)
    viewer = page.locator("auditlane-viewer")
    rows = viewer.get_by_role("row").filter(has_text=re.compile("log(in|out)"))
    first = 1 if "query" in written else 2
    expect(rows).to_have_count(first)
    initial = page.evaluate("history.length")
    viewer.get_by_role("combobox").first.fill("action:logout")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("logout")
    page.go_back()
    expect(rows).to_have_count(first)
    page.go_forward()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("logout")
    assert page.evaluate("history.length") == initial + 1
    rows.first.click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    viewer.get_by_role("button", name="Copy event link").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.endswith("#/audit" if "#" in written else "")
    page.goto("about:blank")
    page.goto(link)
    expect(viewer.get_by_role("heading", level=3, name="u-1 signed out")).to_be_visible()


def test_a_copied_curl_command_has_the_services_url(site: Site, unique: str, page: Page) -> None:
    site.emit({"tenant_id": unique, "action": "login", "actor_id": "u-1"})
    site.sign_in(page, unique)
    page.goto(f"{site.url}/?query=login")
    page.get_by_role("row").filter(has_text="login").click()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_role("status").filter(has_text="copied")).to_have_count(1)
    assert f"'{site.url}/v1/events/" in page.evaluate("navigator.clipboard.readText()")
