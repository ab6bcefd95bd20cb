"""Tests the viewer on a phone, in a narrow host, on a small desktop and at high zoom. The log takes up most of the
screen.
"""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from fixtures.axe import violations
from fixtures.host_page import complaints, host_page
from fixtures.site import Site
from fixtures.workers import wait_until
from playwright.sync_api import Locator, Page, expect

PHONE = {"width": 390, "height": 844}


def sign_in(site: Site, page: Page, tenant: str, size: dict[str, int]) -> Locator:
    """Open the service's own page in a window of this size, and return the viewer once it shows rows."""
    page.set_viewport_size({"width": size["width"], "height": size["height"]})
    site.sign_in(page, tenant)
    viewer = page.locator("auditlane-viewer")
    expect(viewer.get_by_role("row").nth(2)).to_be_visible()
    expect(viewer.locator("auditlane-tiles .waiting")).to_have_count(0)
    return viewer


def box(target: Locator) -> dict[str, float]:
    found = target.bounding_box()
    assert found
    return dict(found)


def cards_in_view(grid: Locator) -> list[list[str | float]]:
    """Return the sentence and the top of each visible card, or an empty list if some are not yet drawn or loaded."""
    found: list[list[str | float]] = grid.evaluate(
        """(grid) => {
          const view = grid.getBoundingClientRect();
          const boxed = [...grid.querySelectorAll('.row')].map((card) => [card, card.getBoundingClientRect()]);
          const cards = boxed.filter(([, box]) => box.bottom > view.top && box.top < view.bottom);
          const over = (height) => cards.some(([, box]) => box.top <= height && box.bottom >= height);
          const drawn = over(view.top) && over(view.bottom) && !cards.some(([card]) => card.matches('.loading'));
          return !drawn ? [] : cards.map(([card, box]) => [card.querySelector('[role=gridcell]').innerText, box.top]);
        }"""
    )
    return found


def assert_accessible(page: Page) -> None:
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert violations(page) == [], scheme


def test_on_a_phone_rows_are_cards_and_most_of_the_screen_is_the_log(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 60)
    messages = complaints(page)
    viewer = sign_in(site, page, unique, PHONE)
    grid = viewer.get_by_role("grid")
    log = box(viewer.locator("auditlane-table"))
    assert log["height"] >= 0.6 * PHONE["height"]
    assert log["y"] + log["height"] <= PHONE["height"]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert grid.evaluate("(element) => element.scrollWidth <= element.clientWidth")  # nothing is off screen

    expect(viewer.get_by_role("columnheader")).to_have_count(3)
    expect(grid).to_have_attribute("aria-colcount", "3")
    cards = grid.locator(".row")
    heights = {round(box(card)["height"]) for card in cards.all()[:6]}
    assert len(heights) == 1
    tops = [box(card)["y"] for card in cards.all()[:6]]
    assert [round(low - high) for high, low in pairwise(tops)] == [*heights] * 5
    first = cards.first.get_by_role("gridcell")
    expect(first).to_have_count(3)
    expect(first.nth(0)).to_have_text(re.compile(r"\w+ .*\w+"))
    expect(first.nth(1)).to_have_text(re.compile("Success|Failure|Denied|Unknown"))
    expect(first.nth(2).locator("time")).to_be_visible()

    for name in ("Copy link", "Download", "Settings", "More"):
        expect(viewer.get_by_role("button", name=name, exact=True)).to_be_in_viewport(ratio=1)
    tools = {round(box(button)["y"]) for button in viewer.locator("[part=toolbar]").get_by_role("button").all()}
    assert max(tools) - min(tools) <= 4  # one row
    assert_accessible(page)
    viewer.get_by_role("button", name="More", exact=True).click()
    for name in ("Refresh", "Columns", "Save view"):
        label = viewer.locator(".label").get_by_text(name, exact=True)
        expect(label).to_be_visible()
        assert box(label)["width"] > 30  # not only for screen readers
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    viewer.get_by_role("button", name="Columns", exact=True).click()  # opens inside the menu
    expect(viewer.get_by_role("checkbox", name="Severity")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(viewer.get_by_text("Refresh", exact=True)).to_be_hidden()

    viewer.get_by_role("button", name="Download", exact=True).click()
    dialog = viewer.get_by_role("dialog", name="Download log")
    expect(dialog).to_contain_text("60 events")
    expect(dialog.get_by_role("button", name="Download CSV")).to_be_in_viewport(ratio=1)
    dialog.get_by_text("More options").click()
    expect(dialog.get_by_role("combobox", name="Time zone")).to_be_visible()
    assert (
        dialog.evaluate("(one) => Math.max(...[...one.children].map((part) => part.scrollWidth - part.clientWidth))")
        <= 0
    )
    assert_accessible(page)
    assert messages == []


def test_on_a_phone_details_fill_the_screen(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 60)
    viewer = sign_in(site, page, unique, PHONE)
    viewer.locator(".row").nth(2).click()
    details = viewer.locator("auditlane-details")
    expect(details.get_by_role("heading", level=3)).to_be_visible()
    filled = box(details)
    assert filled["width"] == PHONE["width"]
    assert filled["height"] >= PHONE["height"] - 2
    assert_accessible(page)
    page.go_back()
    expect(details).to_have_count(0)
    expect(viewer.locator(".row[aria-selected=true]")).to_have_count(0)
    expect(viewer.locator("auditlane-search")).to_be_visible()


def test_cards_scroll_and_arriving_events_leave_them_in_place(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 200)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(host_page(site, unique, [{"token": site.token(unique)}]))
    viewer = page.locator("auditlane-viewer")
    viewer.evaluate("(element) => (element.style.width = '380px')")  # the component's width counts, not the window's
    grid = viewer.get_by_role("grid")
    expect(grid).to_have_class(re.compile("cards"))
    viewer.get_by_role("button", name="More", exact=True).click()
    viewer.get_by_role("switch", name="Live").click()
    expect(viewer.get_by_role("switch", name="Live")).to_have_class("following")
    page.keyboard.press("Escape")
    grid.evaluate("(element) => (element.scrollTop = 1_000)")
    wait_until(lambda: grid.evaluate("(element) => element.scrollTop") >= 1_000)
    grid.press("ArrowDown")
    grid.evaluate("(element) => (element.scrollTop = 1_000)")
    before = wait_until(lambda: cards_in_view(grid))
    site.emit({"tenant_id": unique, "action": "login", "actor_id": "u-17", "resource": "session"})
    expect(viewer.get_by_role("button", name="1 new event")).to_be_visible()
    wait_until(lambda: cards_in_view(grid) == before)
    viewer.get_by_role("button", name="1 new event").click()
    expect(viewer.locator(".row").first).to_contain_text("u-17")
    viewer.evaluate("(element) => (element.style.width = '100%')")
    expect(viewer.get_by_role("columnheader")).to_have_count(7)
    viewer.evaluate("(element) => (element.style.width = '380px')")
    expect(viewer.get_by_role("columnheader")).to_have_count(3)
    viewer.get_by_role("columnheader", name="Time").get_by_role("button").click()
    expect(viewer.get_by_role("columnheader", name="Time")).to_have_attribute("aria-sort", "ascending")


@pytest.mark.parametrize(
    ("size", "rows"),
    [({"width": 1280, "height": 800}, 9), ({"width": 640, "height": 400}, 2)],
    ids=["desktop", "zoom 200 %"],
)
def test_rows_are_on_the_first_screen(site: Site, unique: str, page: Page, size: dict[str, int], rows: int) -> None:
    """A window of 1280 x 800 has 640 x 400 CSS pixels at 200 % zoom."""
    site.fill(unique, 60)
    viewer = sign_in(site, page, unique, size)
    expect(viewer.get_by_role("button", name=re.compile("chart"))).to_be_visible()
    assert box(viewer.locator(".row").first)["y"] < 375
    whole = [one for one in map(box, viewer.locator(".row").all()) if one["y"] + one["height"] <= size["height"]]
    assert len(whole) >= rows
    assert_accessible(page)
