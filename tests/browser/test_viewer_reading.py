"""Tests reading the log in the viewer with real services: rows, pages, details, changes, columns and incoming
events.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fixtures.axe import violations
from fixtures.host_page import give_tokens, host_page
from fixtures.site import Site, follow
from fixtures.workers import wait_until
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect

NOW = datetime.now(UTC).replace(microsecond=0)
HOSTILE = "<img src=x onerror=alert(1)>\u202egnp.exe\u0000"
PARTS = ("auditlane-table", "auditlane-columns", "auditlane-live")
OVERFLOWS = """(row) => [...row.querySelectorAll(".cell")]
  .filter((cell) => cell.scrollWidth > cell.clientWidth).map((cell) => cell.textContent)"""
IN_VIEW = """(grid, text) => {
  const rows = [...grid.querySelectorAll(".row")];
  const row = text ? rows.find((one) => one.textContent.trim() === text) : rows[12];
  return row ? [row.textContent.trim(), row.getBoundingClientRect().top] : ["", 0];
}"""
BEFORE = {"title": "The old title", "tags": ["a", "b"], "public": False, "size": 7}
AFTER = {"title": "The new title", "tags": ["a", "x", "b"], "size": 7, "owner": "jane"}


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    browser_context = browser.new_context(
        locale="en-US", timezone_id="Europe/Berlin", viewport={"width": 1300, "height": 900}
    )
    yield browser_context
    browser_context.close()


def event(tenant: str, number: int, **values: Any) -> dict[str, Any]:
    """Return an event. Events with higher numbers are newer."""
    return {
        "tenant_id": tenant,
        "occurred_at": NOW - timedelta(minutes=90) + timedelta(seconds=number),
        "action": f"action-{number}",
        "actor_id": "u-17",
        "actor_name": "Jane Doe",
        "resource": "document",
    } | values


def open_viewer(site: Site, page: Page, tenant: str, **more: str) -> Locator:
    page.goto(host_page(site, tenant, [{"token": site.token(tenant), "address": ""} | more]))
    table = page.locator("auditlane-table")
    expect(table.get_by_role("grid")).to_have_attribute("aria-busy", "false")
    return table


def assert_accessible(page: Page) -> None:
    viewer = page.locator("auditlane-viewer")
    for theme in ("light", "dark"):
        viewer.evaluate("(element, theme) => (element.theme = theme)", theme)
        found = violations(page)
        assert [one for one in found if any(part in one.partition("]")[0] for part in PARTS)] == [], theme
    viewer.evaluate("(element) => (element.theme = 'auto')")


def cells(table: Locator, column: int = 3) -> list[str]:
    """Return the texts of a column (counted from 1) in the rendered rows, from top to bottom."""
    found: list[str] = table.locator(f".row .cell:nth-child({column})").all_inner_texts()
    return found


def test_rows_are_opened_by_keys_and_show_details(site: Site, unique: str, page: Page) -> None:
    arn = "arn:aws:ssm:us-east-1:1234:parameter/credentials/of-somebody/credentials-14"
    site.emit(
        event(unique, 0, occurred_at="2023-07-10T20:58:58Z", actor_name=None, outcome="denied",
              resource="ssm.amazonaws.com", resource_id=arn),
        *(event(unique, number) for number in range(1, 30)),
        event(unique, 30, outcome="denied", severity="Critical", actor_name=None, before=json.dumps(BEFORE),
              after=json.dumps(AFTER), metadata={"region": "eu-west-1"}, resource_id="4711", ip="::ffff:10.1.2.3"),
    )  # fmt: skip
    table = open_viewer(site, page, unique)
    grid = table.get_by_role("grid", name="Events")
    expect(grid).to_have_attribute("aria-rowcount", "32")
    headings = table.get_by_role("columnheader")
    assert [one.split("\n")[0] for one in headings.all_inner_texts()] == [
        "Time", "Actor", "Action", "Resource", "Outcome", "Severity", "IP address",
    ]  # fmt: skip
    assert cells(table)[:3] == ["action-30", "action-29", "action-28"]
    first = table.get_by_role("row").nth(1)
    expect(first).to_have_attribute("aria-rowindex", "2")
    expect(first).to_contain_text("Critical")
    expect(first).to_contain_text("Denied")
    expect(first).to_contain_text("document 4711")
    expect(first).to_contain_text("10.1.2.3")
    assert first.locator(".mark svg").count() == 2  # a shape beside each word
    second = table.get_by_role("row").nth(2).locator("time")
    at = (NOW - timedelta(minutes=90) + timedelta(seconds=29)).astimezone(ZoneInfo("Europe/Berlin"))
    expect(second).to_have_text(f"{at:%b} {at.day}, {at:%I:%M:%S %p} 1h ago", use_inner_text=True)
    assert_accessible(page)

    grid.focus()
    grid.evaluate("(grid) => grid.scrollTo(0, grid.scrollHeight)")
    oldest = table.locator(".row[aria-rowindex='32']")
    for lang, denied in (("de", "Verweigert"), ("en", "Denied")):
        page.locator("auditlane-viewer").evaluate("(viewer, lang) => (viewer.lang = lang)", lang)
        expect(oldest).to_contain_text(denied)
        assert oldest.evaluate(OVERFLOWS) == [], lang
    expect(oldest.locator("time")).to_have_text(re.compile(r"Jul 10, 2023, 10:58:58\sPM"), use_inner_text=True)
    name, start, end = (oldest.locator(f".pair {part}") for part in ("bdi >> nth=0", ".start", ".end"))
    assert [name.inner_text(), end.inner_text()] == ["ssm.amazonaws.com", "dentials-14"]  # both are fully visible
    assert name.evaluate("(name) => name.clientWidth") > 75
    assert start.evaluate("(start) => start.scrollWidth - start.clientWidth") > 0
    assert oldest.locator(".pair").inner_text().replace("\n", " ") == f"ssm.amazonaws.com {arn}"

    grid.evaluate("(grid) => grid.scrollTo(0, 0)")
    for key, active in (("ArrowDown", 2), ("ArrowDown", 3), ("ArrowUp", 2), ("End", 32), ("Home", 2)):
        page.keyboard.press(key)
        expect(table.locator(".row.active")).to_have_attribute("aria-rowindex", str(active))
        assert grid.get_attribute("aria-activedescendant") == table.locator(".row.active").get_attribute("id")
    page.keyboard.press("Enter")
    details = table.locator("auditlane-details")
    expect(details.get_by_role("heading", name="action-30")).to_be_visible()
    expect(details.locator("section")).to_be_focused()
    assert "event=" in page.url
    changes = details.get_by_role("table")
    expect(changes.get_by_role("row")).to_have_count(5)
    kinds = changes.locator("tbody tr")
    assert [one.replace("\n", "").split("\t")[:2] for one in kinds.all_inner_texts()] == [
        ["~changed", "title"],
        ["+added", "tags › 1"],
        ["−removed", "public"],
        ["+added", "owner"],
    ]
    assert changes.locator("del").first.inner_text() == "old"
    assert changes.locator("ins").first.inner_text() == "new"
    details.get_by_role("button", name="Show 3 unchanged fields").click()
    expect(changes.get_by_role("row")).to_have_count(8)
    details.get_by_text("Raw JSON").click()
    assert json.loads(details.locator("pre").inner_text())["after"] == AFTER
    expect(details.locator(".line", has_text="IP address")).to_contain_text("private network")
    actor = details.locator(".line", has=page.get_by_text("Actor", exact=True))
    expect(actor.locator(".value")).to_have_text("u-17")  # the id stands in for the missing name, as in the row
    expect(actor.get_by_role("button", name="Filter for Actor: u-17")).to_be_attached()
    assert_accessible(page)
    details.get_by_role("button", name="Next event").click()
    expect(details.get_by_role("heading", name="action-29")).to_be_visible()
    page.go_back()
    expect(details.get_by_role("heading", name="action-30")).to_be_visible()
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)
    expect(grid).to_be_focused()


def test_a_link_opens_an_event_that_is_not_in_the_list(site: Site, unique: str, page: Page) -> None:
    site.generate(unique, 1_000)
    token = site.token(unique)
    far = site.request("/v1/events?sort=occurred_at&limit=1", token).json()["data"][0]
    address = host_page(site, unique, [{"token": token, "address": ""}])
    page.goto(f"{address}?event={far['event_id']}")
    details = page.locator("auditlane-details")
    expect(details.locator(".line", has_text="Resource ID")).to_contain_text("999")
    expect(details.get_by_role("button", name="Next event")).to_be_disabled()
    page.goto(f"{address}?event=019391a4-7f3c-7cc2-9d2e-0242ac120002")
    expect(details.get_by_text("Not found")).to_be_visible()
    assert_accessible(page)


def test_scrolling_drops_distant_rows_and_loads_them_again(site: Site, unique: str, page: Page) -> None:
    """Rows are numbered from the newest. Each row is rendered at its position, without gaps or duplicates."""
    site.generate(unique, 9_000)
    table = open_viewer(site, page, unique)
    page.locator("auditlane-columns").get_by_role("button").first.click()
    page.get_by_role("checkbox", name="Resource ID").check()
    page.keyboard.press("Escape")
    grid = table.locator(".grid")

    def rows_drawn(at: int) -> bool:
        """Scroll to the row `at`, and assert that each rendered row has its number. Returns whether all of them are
        loaded.
        """
        grid.evaluate("(grid, top) => grid.scrollTo(0, top)", at * 40)  # repeated, since unknown rows have no height
        found = table.evaluate(
            """(table) => [...table.shadowRoot.querySelectorAll(".row")].map((row) =>
                 [Number(row.getAttribute("aria-rowindex")), row.lastElementChild.textContent.trim()])"""
        )
        shown = [(place, int(number)) for place, number in found if number]
        assert all(number == place - 2 for place, number in shown)
        assert [place for place, _ in found] == sorted({place for place, _ in found})
        return len(shown) == len(found) > 10 and at + 2 in dict(found)

    wait_until(lambda: rows_drawn(0))
    at = 0
    while at < 8_960:
        at = min(8_960, at + 150)
        wait_until(partial(rows_drawn, at))
    held = table.evaluate("(table) => table.list.pages.loadedRows")
    assert held < 5_000
    expect(grid).to_have_attribute("aria-rowcount", "9001")
    for at in (3_000, 6_000, 1_500, 0):  # jumps to rows that were dropped
        wait_until(partial(rows_drawn, at))
    assert table.evaluate("(table) => table.list.pages.at(0).resource_id") == "0"


def test_a_column_sorts_the_list(site: Site, unique: str, page: Page) -> None:
    site.emit(*(event(unique, number) for number in range(5)))
    table = open_viewer(site, page, unique)
    time = table.get_by_role("columnheader", name="Time")
    expect(time).to_have_attribute("aria-sort", "descending")
    time.get_by_role("button", name="Time", exact=True).click()
    expect(time).to_have_attribute("aria-sort", "ascending")
    wait_until(lambda: cells(table)[0] == "action-0")
    assert page.url.endswith("?sort=occurred_at")
    page.go_back()
    wait_until(lambda: cells(table)[0] == "action-4")
    time.get_by_role("button", name="Column options: Time").click()
    page.get_by_role("button", name="Oldest first").click()
    wait_until(lambda: cells(table)[0] == "action-0")
    expect(table.get_by_role("columnheader", name="Action")).not_to_have_attribute("aria-sort", "none")


def test_details_say_what_was_attempted_and_lead_to_what_belongs_to_the_event(
    site: Site, unique: str, page: Page
) -> None:
    denied = {
        "action": "document.deleted", "resource_id": "Q3 plan", "outcome": "denied", "severity": "High",
        "before": json.dumps(BEFORE), "description": "The plan is locked.",
        "metadata": {"region": "eu-1", "session_id": "s-9"},
    }  # fmt: skip
    site.emit(
        event(unique, 1, action="document.deleted", resource_id="Q2 plan", outcome="success"),
        event(unique, 2, **denied),
        event(unique, 3, action="document.viewed", actor_id="u-18", actor_name="<b>Bo</b>", resource_id="Q3 plan"),
    )
    table = open_viewer(site, page, unique)
    table.get_by_role("row", name="Denied").click()
    details = table.locator("auditlane-details")
    expect(details.get_by_role("heading", level=3)).to_have_text("JDJane Doe attempted to delete document Q3 plan")
    expect(details.get_by_text("The plan is locked.").first).to_be_visible()
    expect(details.get_by_role("heading", name="Attempted change")).to_be_visible()
    expect(details.get_by_text("these changes may not have been made")).to_be_visible()
    assert_accessible(page)

    details.get_by_role("button", name="Add region as column").click()
    heads = table.locator(".head").get_by_role("columnheader")
    expect(heads.last).to_contain_text("region")
    expect(details.get_by_role("status").first).to_have_text("region is now a column of the table")
    expect(table.get_by_role("row", name="Denied").get_by_role("gridcell").last).to_have_text("eu-1")
    expect(details.get_by_role("button", name="Add region as column")).to_have_count(0)

    explore = details.get_by_role("group", name="Explore")
    explore.get_by_role("button", name="Same object").click()
    wait_until(lambda: cells(table) == ["document.viewed", "document.deleted"])
    explore.get_by_role("button", name="Same session").click()
    wait_until(lambda: cells(table) == ["document.deleted"])
    explore.get_by_role("button", name="± 5 minutes").click()
    wait_until(lambda: len(cells(table)) == 3)
    page.go_back()
    wait_until(lambda: cells(table) == ["document.deleted"])
    explore.get_by_role("button", name="Actor timeline").click()
    wait_until(lambda: len(cells(table)) == 2)
    expect(table.get_by_role("row").nth(1)).to_contain_text("Q2 plan")  # oldest first

    page.reload()
    expect(heads.last).to_contain_text("region")
    page.locator("auditlane-columns").get_by_role("button", name="Columns").click()
    page.get_by_label("Event as a sentence").check()
    expect(table.get_by_text("Jane Doe deleted document Q2 plan")).to_be_visible()


def test_details_filter_the_list_and_copy_the_event(site: Site, unique: str, page: Page) -> None:
    site.emit(
        event(unique, 1, action="login"), event(unique, 2, action="login", metadata={"a:b": "x y"}),
        event(unique, 3, action="logout"),
    )  # fmt: skip
    table = open_viewer(site, page, unique)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    table.get_by_role("row", name="logout").click()
    details = table.locator("auditlane-details")
    details.get_by_role("button", name="Filter out Action: logout").click()
    wait_until(lambda: cells(table) == ["login", "login"])
    table.get_by_role("row", name="login").first.click()
    details.get_by_role("button", name="Filter for a:b: x y").click()
    wait_until(lambda: cells(table) == ["login"])

    def copy_with(button: str, expected: str) -> str:
        details.get_by_role("button", name=button).click()
        expect(details.get_by_role("status").last).to_have_text(expected)
        text: str = page.evaluate("navigator.clipboard.readText()")
        return text

    shown = json.loads(copy_with("Copy JSON", "JSON copied"))
    assert shown["metadata"] == {"a:b": "x y"}
    expect(details.get_by_role("button", name="Copied", exact=True)).to_be_visible()
    # A frame may lack permission for the clipboard; the viewer then falls back to `execCommand`.
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    curl = copy_with("Copy as curl", "curl command copied")
    assert curl == f"curl -H \"Authorization: Bearer $TOKEN\" \\\n  '{site.url}/v1/events/{shown['event_id']}'"
    link = copy_with("Copy event link", "Link copied")
    page.evaluate("() => { document.execCommand = () => false; }")
    details.get_by_role("button", name="Copy JSON").click()
    note = details.get_by_text("The browser blocked copying.")
    expect(note).to_be_visible()
    assert note.evaluate("(note) => note.offsetHeight") > 10
    assert_accessible(page)
    page.goto(link)
    expect(details.get_by_role("heading", name="Jane Doe signed in")).to_be_visible()
    assert len(cells(table)) == 3  # the link opens the event, not the search

    table.get_by_role("button", name="Column options: Action").click()
    facet = page.locator("auditlane-facet")
    expect(facet.get_by_role("checkbox", name="login")).to_be_visible()
    assert_accessible(page)
    facet.get_by_role("checkbox", name="logout").check()
    wait_until(lambda: cells(table) == ["logout"])


def test_a_users_columns_are_kept_until_reset(site: Site, unique: str, page: Page) -> None:
    site.emit(event(unique, 1, user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"))
    table = open_viewer(site, page, unique)

    def headings() -> list[str]:
        return [one.split("\n")[0] for one in table.get_by_role("columnheader").all_inner_texts()]

    default_headings = headings()
    columns = page.locator("auditlane-columns")
    columns.get_by_role("button", name="Columns").click()
    assert_accessible(page)
    page.get_by_role("checkbox", name="User agent").check()
    page.get_by_role("checkbox", name="Severity").uncheck()
    page.get_by_role("button", name="Move Actor up").click()
    expect(page.get_by_role("button", name="Move Actor down")).to_be_focused()
    page.get_by_role("radio", name="Compact").check()
    page.get_by_role("radio", name="Exact only").check()
    columns.get_by_role("radio", name="UTC").check()
    page.keyboard.press("Escape")
    wait_until(lambda: headings() == ["Actor", "Time", "Action", "Resource", "Outcome", "IP address", "User agent"])
    expect(table.get_by_role("gridcell", name="Firefox 127 Linux")).to_be_visible()
    row = table.get_by_role("row").nth(1)
    assert row.evaluate("(row) => row.offsetHeight") == 29
    at = NOW - timedelta(minutes=90, seconds=-1)
    expect(row.locator("time")).to_have_text(f"{at:%b} {at.day}, {at:%I:%M:%S %p}", use_inner_text=True)

    head = table.get_by_role("columnheader", name="Resource")
    before = head.evaluate("(head) => head.offsetWidth")
    grip = head.locator(".grip").bounding_box()
    assert grip
    page.mouse.move(grip["x"] + 4, grip["y"] + 4)
    page.mouse.down()
    page.mouse.move(grip["x"] + 64, grip["y"] + 4, steps=4)
    page.mouse.up()
    assert abs(head.evaluate("(head) => head.offsetWidth") - before - 60) <= 2
    head.get_by_role("button", name="Column options: Resource").click()
    page.get_by_role("button", name="Narrow").click()
    assert abs(head.evaluate("(head) => head.offsetWidth") - before - 28) <= 2
    page.get_by_role("button", name="Hide column").click()
    wait_until(lambda: "Resource" not in headings())

    page.reload()
    wait_until(lambda: headings() == ["Actor", "Time", "Action", "Outcome", "IP address", "User agent"])
    columns.get_by_role("button", name="Columns").click()
    page.get_by_role("button", name="Reset to your organisation’s settings").click()
    wait_until(lambda: headings() == default_headings)


def test_addresses_have_countries_in_the_readers_language(site: Site, unique: str, page: Page) -> None:
    site.emit(event(unique, 1, ip="198.18.7.9"), event(unique, 2, ip="10.0.0.1"))
    table = open_viewer(site, page, unique)
    cell = table.locator(".row").last.locator(".cell").last
    expect(cell).to_have_text("198.18.7.9 🇳🇴 Norway")
    expect(cell.locator("[title]")).to_have_attribute("title", "198.18.7.9 🇳🇴 Norway")
    [other, one] = site.request("/v1/events", site.token(unique)).json()["data"]
    assert (one["ip_country"], other["ip_country"]) == ("NO", None)
    single = site.request(f"/v1/events/{one['event_id']}", site.token(unique)).json()
    assert (single["ip"], single["ip_country"], single["others"]) == ("198.18.7.9", "NO", [])
    cell.click()
    address = page.locator("auditlane-details .line", has_text="IP address")
    expect(address).to_contain_text("198.18.7.9 🇳🇴 Norway")
    page.locator("auditlane-viewer").evaluate("(viewer) => (viewer.lang = 'de')")
    expect(page.locator("auditlane-details .line", has_text="IP-Adresse")).to_contain_text("🇳🇴 Norwegen")
    expect(cell).to_have_text("198.18.7.9 🇳🇴 Norwegen")

    page.get_by_role("switch", name="Live").click()
    expect(page.locator("auditlane-live").get_by_role("status")).to_have_text("Live: verbunden")
    site.emit(event(unique, 3, action="arrived", ip="198.18.7.10", occurred_at=datetime.now(UTC)))
    expect(table.locator(".row", has_text="arrived")).to_contain_text("198.18.7.10 🇳🇴 Norwegen")


def test_pinned_columns_stay_in_place_and_are_remembered(site: Site, unique: str, page: Page) -> None:
    site.emit(*(event(unique, number) for number in range(3)), event(unique, 3, actor_name=None))
    page.set_viewport_size({"width": 800, "height": 700})
    table = open_viewer(site, page, unique)
    grid = table.locator(".grid")
    actor = table.locator(".row").last.locator(".cell").filter(has=page.get_by_text("Jane Doe"))
    expect(actor.locator(".initials")).to_have_attribute("data-initials", "JD")
    expect(actor).to_have_text("Jane Doe")  # the initials are neither read aloud nor copied
    expect(table.locator(".row").first.locator(".initials")).to_have_attribute("data-initials", "U1")

    def pin(name: str, button: str) -> None:
        table.get_by_role("columnheader", name=name).get_by_role("button", name="Column options").click()
        page.get_by_role("button", name=button, exact=True).click()

    def first_headings() -> list[str]:
        return [one.split("\n")[0] for one in table.get_by_role("columnheader").all_inner_texts()][:3]

    pin("Action", "Pin column")
    wait_until(lambda: first_headings() == ["Action", "Time", "Actor"])
    pin("Actor", "Pin column")
    wait_until(lambda: first_headings() == ["Action", "Actor", "Time"])
    table.get_by_role("columnheader", name="Actor").get_by_role("button", name="Column options").click()
    right, left_ = (page.get_by_role("button", name=f"Move {side}") for side in ("right", "left"))
    expect(right).to_be_disabled()  # not past the pinned ones
    left_.click()
    wait_until(lambda: first_headings() == ["Actor", "Action", "Time"])
    expect(left_).to_be_disabled()  # the menu stays open, with the focus
    expect(right).to_be_focused()
    right.click()
    wait_until(lambda: first_headings() == ["Action", "Actor", "Time"])
    expect(left_).to_be_focused()
    page.keyboard.press("Escape")
    page.reload()
    expect(table.locator(".row").last).to_contain_text("action-0")
    assert first_headings() == ["Action", "Actor", "Time"]

    grid.evaluate("(grid) => grid.scrollTo(1000, 0)")
    row = table.locator(".row").last
    left = "(element) => element.getBoundingClientRect().left"
    start = grid.evaluate(left)
    for of in (row.locator(".cell"), table.get_by_role("columnheader")):
        wait_until(lambda of=of: abs(of.nth(0).evaluate(left) - start - 3) <= 1)
        width = of.nth(0).evaluate("(element) => element.offsetWidth")
        assert abs(of.nth(1).evaluate(left) - start - 3 - width) <= 1
        assert of.nth(2).evaluate(left) < start + width  # scrolled beneath the pinned ones
    on_top = "(cell) => { const b = cell.getBoundingClientRect(); "
    on_top += "return cell.contains(cell.getRootNode().elementFromPoint(b.left + 8, b.top + b.height / 2)); }"
    assert row.locator(".cell").nth(1).evaluate(on_top)
    assert_accessible(page)

    pin("Action", "Unpin column")
    wait_until(lambda: first_headings() == ["Actor", "Action", "Time"])


def test_arriving_events_appear_and_leave_scrolled_rows_in_place(site: Site, unique: str, page: Page) -> None:
    site.generate(unique, 500, until=NOW - timedelta(minutes=5))
    token = site.token_that_ends(unique, seconds=10)
    page.goto(host_page(site, unique, [{"token": token, "address": ""}]))
    give_tokens(page, site.token(unique), site.token(unique))
    table, switch = page.locator("auditlane-table"), page.get_by_role("switch", name="Live")
    grid = table.locator(".grid")
    expect(table.get_by_role("row").nth(1)).to_be_visible()
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "true")
    expect(page.locator("auditlane-live").get_by_role("status")).to_have_text("Live: connected")
    assert_accessible(page)

    def emit_now(*actions: str) -> None:
        site.emit(*(event(unique, 0, action=action, occurred_at=datetime.now(UTC)) for action in actions))

    emit_now("first", "second")
    wait_until(lambda: cells(table)[:2] == ["second", "first"])
    wait_until(lambda: page.evaluate("window.expired") > 0)  # the token expired, which ended the stream
    emit_now("third")
    wait_until(lambda: cells(table)[:3] == ["third", "second", "first"])
    expect(table.locator("time").first).to_have_text(re.compile(r":\d\d [AP]M \d+s ago$"), use_inner_text=True)
    counted = page.locator("auditlane-histogram .headline")
    expect(counted).to_contain_text(re.compile("50[23] events"), timeout=15_000)  # the counts are refreshed

    grid.evaluate("(grid) => grid.scrollTo(0, 4000)")
    wait_until(lambda: table.locator(".row").first.get_attribute("aria-rowindex") != "2")
    expect(table.locator(".loading")).to_have_count(0)
    row, top = grid.evaluate(IN_VIEW, "")
    emit_now("fourth", "fifth")
    button = table.get_by_role("button", name="2 new events")
    expect(button).to_be_visible()
    wait_until(lambda: grid.evaluate(IN_VIEW, row) == [row, pytest.approx(top, abs=1)])
    assert_accessible(page)
    button.click()
    wait_until(lambda: cells(table)[:5] == ["fifth", "fourth", "third", "second", "first"])
    expect(button).to_have_count(0)
    ids = table.evaluate("(table) => Array.from({length: 505}, (_, n) => table.list.pages.at(n)?.event_id)")
    assert len(set(ids)) == 505
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")


def test_hostile_text_is_shown_as_text(site: Site, unique: str, page: Page) -> None:
    large = {f"k{number}": "v" * 500 for number in range(30)}
    site.emit(
        event(unique, 1, action=HOSTILE, actor_name=HOSTILE, description=HOSTILE, before=json.dumps({HOSTILE: "a"}),
              after="no json \u202e", metadata={HOSTILE: HOSTILE, "emoji": "👩‍👩‍👧"} | large)
    )  # fmt: skip
    alerts: list[str] = []
    page.on("dialog", lambda dialog: alerts.append(dialog.message))
    table = open_viewer(site, page, unique)
    shown = "<img src=x onerror=alert(1)>⟨U+202E⟩gnp.exe⟨U+0000⟩"
    expect(table.get_by_role("row").nth(1)).to_contain_text(shown)
    table.get_by_role("row").nth(1).click()
    details = table.locator("auditlane-details")
    expect(details.get_by_role("heading", name=shown)).to_be_visible()
    expect(details.get_by_text("👩‍👩‍👧")).to_be_visible()
    expect(details.get_by_role("table")).to_contain_text("no json ⟨U+202E⟩")
    details.get_by_text("Raw JSON").click()
    expect(details.locator("pre")).to_contain_text("⟨U+202E⟩")
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert table.evaluate("(table) => table.shadowRoot.querySelectorAll('img, script').length") == 0
    assert not alerts
    assert_accessible(page)


def test_slow_pages_can_be_cancelled_and_failed_pages_retried(site: Site, unique: str, page: Page) -> None:
    site.generate(unique, 1_000)
    held: list[Route] = []

    def respond(route: Route) -> None:
        if "cursor" not in route.request.url:
            held.append(route)
            return
        body = json.dumps({"code": "QUERY_TOO_LARGE", "detail": "More than a query may take."})
        route.fulfill(status=400, body=body, headers={"Access-Control-Allow-Origin": "*"})

    page.route("**/v1/events?*", respond)
    page.goto(host_page(site, unique, [{"token": site.token(unique), "address": ""}]))
    table = page.locator("auditlane-table")
    expect(table.get_by_text("This is taking longer than usual.").first).to_be_visible()
    expect(table.get_by_role("grid")).to_have_attribute("aria-busy", "true")
    assert_accessible(page)
    table.get_by_role("button", name="Cancel").click()
    expect(table.get_by_text("Search cancelled.").first).to_be_visible()
    expect(table.locator(".grid")).not_to_have_class(re.compile("coming"))
    assert_accessible(page)
    table.get_by_role("button", name="Search again").click()
    # Playwright delivers events only while a call is running, so each poll makes a call
    wait_until(lambda: page.evaluate("1") and len([one for one in held if "limit=50" in one.request.url]) >= 2)
    for route in held:
        route.continue_()
    held.clear()
    expect(table.locator("auditlane-problem")).to_be_visible()  # for the second page
    wait_until(lambda: len(cells(table)) > 5)
    assert_accessible(page)
    page.unroute("**/v1/events?*")
    table.locator("auditlane-problem").get_by_role("button", name="Try again").click()
    expect(table.locator("auditlane-problem")).to_have_count(0)
    wait_until(lambda: table.evaluate("(table) => table.list.pages.count") >= 250)

    page.route("**/v1/events?*", lambda route: held.append(route))
    box = page.get_by_role("combobox", name="Search the log")
    box.fill("action:other")
    box.press("Enter")
    expect(table.locator(".row").first).to_have_attribute("aria-disabled", "true")  # the previous search's rows
    expect(table.locator(".grid")).to_have_class(re.compile("coming"))
    table.get_by_role("button", name="Cancel").click()
    expect(table.locator(".whole")).to_contain_text("Search cancelled.")
    expect(table.locator(".grid")).not_to_have_class(re.compile("coming"))


def test_a_search_that_finds_nothing_asks_before_it_goes_further(site: Site, unique: str, page: Page) -> None:
    site.generate(unique, 30)
    asked: list[str] = []
    cut = True  # whether searches end before they have found anything

    def respond(route: Route) -> None:
        asked.append(route.request.url)
        if not cut:
            route.continue_(url=re.sub("&cursor=[^&]*", "", route.request.url))
            return
        day = max(1, 20 - len(asked))
        body = {"data": [], "next": f"c{day}", "prev": None, "searched_to": f"2026-01-{day:02}T00:00:00Z"}
        route.fulfill(json=body, headers={"Access-Control-Allow-Origin": "*"})

    page.route("**/v1/events?*", respond)
    page.goto(host_page(site, unique, [{"token": site.token(unique), "address": ""}]))
    progress = page.locator("auditlane-search-progress")
    expect(progress).to_contain_text("found nothing more")
    assert_accessible(page)
    assert page.locator("auditlane-table").evaluate("(table) => table.list.pages.paused")  # it waits for the reader
    before = len(asked)
    progress.get_by_role("button", name="Search further").click()
    expect(progress).to_contain_text("Searching…")
    wait_until(lambda: page.evaluate("1") and len(asked) > before + 2)
    progress.get_by_role("button", name="Cancel").click()
    expect(progress.get_by_role("button", name="Search further")).to_be_visible()
    cut = False
    progress.get_by_role("button", name="Search further").click()
    expect(progress).to_have_count(0)
    wait_until(lambda: len(cells(page.locator("auditlane-table"))) > 5)


def test_access_to_the_log_is_hidden_until_the_reader_wants_it(site: Site, unique: str, page: Page) -> None:
    site.emit(*(event(unique, number) for number in range(3)))
    follow(page, site.link(unique))
    wait_until(lambda: site.stored(unique) >= 4)  # with `link.opened`
    page.reload()
    table, total = page.locator("auditlane-table"), page.locator("auditlane-tiles .number").nth(1)
    expect(table.locator(".row")).to_have_count(3)
    expect(total).to_have_text("3")
    expect(table).not_to_contain_text("Link opened")
    page.get_by_role("button", name="Filter", exact=True).click()
    switch = page.get_by_role("checkbox", name="Include events about access to this log")
    expect(switch).to_have_accessible_description("Views, downloads, links and viewer tokens")
    assert [one for one in violations(page) if "auditlane-filter" in one] == []
    switch.check()
    expect(table.locator(".row").first).to_contain_text("Link opened")
    expect(total).not_to_have_text("3")
    page.reload()
    expect(table.locator(".row").first).to_contain_text("Link opened")  # this reader's preference
    page.get_by_role("button", name="Download").click()
    expect(page.get_by_role("dialog")).to_contain_text("Access to this log\nIncluded", use_inner_text=True)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filter", exact=True).click()
    switch.uncheck()
    expect(table.locator(".row")).to_have_count(3)
    page.keyboard.press("Escape")
    box = page.get_by_role("combobox")
    box.fill("link.opened")
    box.press("Enter")
    expect(table).to_contain_text("Events about access to this log match, but are hidden.")
    table.get_by_role("button", name="Show access to this log").click()
    expect(table.locator(".row")).to_have_count(1)
