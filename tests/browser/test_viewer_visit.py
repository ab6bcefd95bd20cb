"""Tests links to a view, the marking of events that are new since the last visit, and printing."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fixtures.axe import violations
from fixtures.host_page import host_page
from fixtures.site import Site
from playwright.sync_api import Page, expect


def test_a_link_to_the_view_shows_it_to_a_colleague(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 40)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    site.sign_in(page, unique)
    viewer = page.locator("auditlane-viewer")
    heads = viewer.get_by_role("columnheader")
    expect(heads.first).to_contain_text("Time")
    page.goto(f"{site.url}/?query=outcome%3Asuccess&range=24h&sort=occurred_at")
    viewer.get_by_role("button", name="Columns").click()
    viewer.get_by_role("checkbox", name="Severity").uncheck()
    page.keyboard.press("Escape")
    names = [name.strip() for name in heads.all_inner_texts()]
    viewer.get_by_role("button", name="Copy link", exact=True).click()
    expect(viewer.get_by_role("status").filter(has_text="Link copied. It shows this view")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"\?query=outcome%3Asuccess&range=24h&sort=occurred_at&columns=occurred_at%2C", link)
    assert "token" not in link

    colleague = page.context.browser.new_page() if page.context.browser else None
    assert colleague
    try:
        site.sign_in(colleague, unique, user="joe")
        colleague.goto(link)
        theirs = colleague.locator("auditlane-viewer")
        expect(theirs.get_by_role("columnheader").first).to_be_visible()
        assert [name.strip() for name in theirs.get_by_role("columnheader").all_inner_texts()] == names
        theirs.get_by_role("button", name="Columns").click()
        theirs.get_by_role("checkbox", name="Severity").check()  # replaces the link's columns
        expect(theirs.get_by_role("columnheader", name="Severity")).to_have_count(1)
        assert "columns=" not in colleague.url
        assert violations(colleague) == []
    finally:
        colleague.close()


def test_events_that_are_new_since_the_last_visit_are_marked(site: Site, unique: str, page: Page) -> None:
    visited = datetime.now(UTC) - timedelta(hours=2)
    events = [("old", visited - timedelta(minutes=5)), ("new", visited + timedelta(minutes=5)), ("newer", None)]
    site.emit(
        *(
            {"tenant_id": unique, "action": action, "actor_id": "u-17", "resource": "session"}
            | ({"occurred_at": at.isoformat()} if at else {})
            for action, at in events
        )
    )
    page.goto(host_page(site, unique, [{"token": site.token(unique)}]))
    viewer = page.locator("auditlane-viewer")
    expect(viewer.locator(".row time")).to_have_count(3)
    expect(viewer.locator(".row.marked")).to_have_count(0)  # the first visit
    page.evaluate(
        "([key, seen]) => localStorage.setItem(key, JSON.stringify({ since: null, seen }))",
        [f"auditlane:{unique}:jane:visit", visited.timestamp() * 1_000],
    )
    page.add_init_script(
        "Object.defineProperty(document, 'hidden', { get: () => false })"  # leaving the page records a visit
    )
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => false, configurable: true })")
    page.reload()
    marked = viewer.locator(".row.marked")
    expect(marked).to_have_count(1)
    expect(marked).to_contain_text("new")
    expect(marked).to_have_attribute("aria-description", "New since your last visit")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert violations(page) == [], scheme
    page.reload()  # belongs to the same visit
    expect(marked).to_contain_text("new")


def test_printing_shows_the_loaded_events_as_a_table(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 50)
    site.sign_in(page, unique)
    viewer = page.locator("auditlane-viewer")
    expect(viewer.locator(".row time").nth(5)).to_be_visible()
    expect(viewer.get_by_role("table")).to_have_count(0)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # headless browsers do not send this event
    table = viewer.get_by_role("table")
    expect(table.locator("tbody tr")).to_have_count(50)
    expect(table.locator("caption")).to_contain_text("50 events")
    assert table.locator("thead").evaluate("(head) => getComputedStyle(head).display") == "table-header-group"
    for hidden in ("auditlane-search", "auditlane-tiles", "auditlane-histogram", ".tools", ".grid"):
        expect(viewer.locator(hidden)).to_be_hidden()
    pdf = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 2  # the whole table, not a window with a scroll bar
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(viewer.locator(".print tr")).to_have_count(0)  # only while the browser prints
    expect(viewer.locator(".row time").nth(5)).to_be_visible()
