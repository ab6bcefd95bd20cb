"""Tests keyboard shortcuts. They work everywhere on the service's own page, but only inside the viewer on a vendor's
page.
"""

from __future__ import annotations

import re

import pytest
from fixtures.axe import violations
from fixtures.host_page import host_page
from fixtures.site import Site
from playwright.sync_api import Locator, Page, expect


def rows_of(viewer: Locator) -> Locator:
    rows = viewer.locator(".row")
    expect(rows.filter(has=viewer.page.locator("time")).nth(5)).to_be_visible()
    return rows


@pytest.mark.parametrize("width", [390, 1280])
def test_shortcuts_work_in_the_whole_of_the_own_page(site: Site, unique: str, page: Page, width: int) -> None:
    site.fill(unique, 40)
    page.set_viewport_size({"width": width, "height": 800})
    site.sign_in(page, unique)
    viewer = page.locator("auditlane-viewer")
    rows = rows_of(viewer)
    ids = [one["event_id"] for one in site.request("/v1/events?limit=5", site.token(unique)).json()["data"]]
    active = viewer.locator(".row.active")
    details = viewer.locator("auditlane-details")
    for key, row in (("j", 0), ("j", 1), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(rows.nth(row)).to_contain_class("active")
    expect(viewer.get_by_role("grid")).to_be_focused()
    page.keyboard.press("Enter")
    expect(details.get_by_role("region", name="Event details")).to_be_focused()
    for key, row in (("ArrowDown", 2), ("ArrowDown", 3), ("ArrowUp", 2), ("j", 3)):
        page.keyboard.press(key)
        expect(page).to_have_url(re.compile(f"event={ids[row]}"))
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)
    expect(viewer.get_by_role("grid")).to_be_focused()
    expect(active).to_have_count(1)
    page.keyboard.press("Escape")
    expect(active).to_have_count(0)

    search = viewer.get_by_role("combobox", name="Search the log")
    page.keyboard.press("/")
    expect(search).to_be_focused()
    expect(search).to_have_value("")
    page.keyboard.type("j/k?ftcd")  # in a field, keys are text
    expect(search).to_have_value("j/k?ftcd")
    expect(active).to_have_count(0)
    search.fill("")
    search.evaluate("(input) => input.blur()")
    page.keyboard.press("Control+j")
    expect(active).to_have_count(0)

    page.keyboard.press("d")
    expect(viewer.get_by_role("dialog", name="Download log").get_by_role("radio", name="CSV")).to_be_focused()
    page.keyboard.press("Escape")
    expect(viewer.get_by_role("dialog", name="Download log")).to_be_hidden()
    for key, first, opener in (
        ("t", viewer.get_by_role("button", name="All time", exact=True), "Time range: "),
        ("f", viewer.get_by_role("searchbox", name="Find a field or value"), "Filter"),
    ):
        page.keyboard.press(key)
        expect(first).to_be_focused()
        page.keyboard.press("Escape")
        expect(viewer.get_by_role("button", name=re.compile(f"^{opener}"))).to_be_focused()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.keyboard.press("c")
    expect(viewer.get_by_role("status").filter(has_text="Link copied")).to_be_visible()

    page.keyboard.press("?")
    help_ = viewer.get_by_role("dialog", name="Keyboard shortcuts")
    for line in ("Next event", "Choose the time range", "Filter by a field or value", "Copy link", "Download"):
        expect(help_).to_contain_text(line)
    page.keyboard.press("j")
    expect(active).to_have_count(0)
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()


def test_the_rows_are_two_tab_stops_away(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 40)
    site.sign_in(page, unique)
    viewer = page.locator("auditlane-viewer")
    rows_of(viewer)
    page.keyboard.press("Tab")
    skip = viewer.get_by_role("button", name="Skip to the events")
    expect(skip).to_be_focused()
    box = skip.bounding_box()
    assert box
    assert box["width"] > 50
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(viewer.get_by_role("grid")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(viewer.locator(".row").first).to_contain_class("active")
    page.keyboard.press("Enter")
    viewer.get_by_role("grid").focus()
    page.keyboard.press("ArrowDown")  # with details open, the next event is shown
    expect(viewer.locator(".row").nth(1)).to_have_attribute("aria-selected", "true")


def test_in_a_vendors_page_keys_belong_to_the_page_outside_the_viewer(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 40)
    page.goto(host_page(site, unique, [{"token": site.token(unique)}]))
    viewer = page.locator("auditlane-viewer")
    rows_of(viewer)
    page.evaluate(
        """() => {
          window.kept = [];
          document.addEventListener("keyup", (event) => window.kept.push(event.key));
          const report = (event) => event.defaultPrevented && window.kept.push("taken");
          document.addEventListener("keydown", (event) => setTimeout(() => report(event)));
          const own = document.createElement("button");
          own.textContent = "Own";
          document.body.prepend(own);
          own.focus();
        }"""
    )
    for key in ("j", "/", "?", "Escape"):
        page.keyboard.press(key)
    assert page.evaluate("window.kept") == ["j", "/", "?", "Escape"]
    expect(page.get_by_role("button", name="Own", exact=True)).to_be_focused()
    expect(viewer.locator(".row.active")).to_have_count(0)
    viewer.get_by_role("button", name="Refresh").focus()
    page.keyboard.press("j")
    expect(viewer.locator(".row").first).to_contain_class("active")
    expect(viewer.get_by_role("grid")).to_be_focused()
