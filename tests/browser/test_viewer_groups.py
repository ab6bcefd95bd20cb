"""Tests grouping a log by a field over time, and comparing it with the preceding period, with real services."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from fixtures.axe import violations
from fixtures.site import Site
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

OpenViewer = Callable[..., Page]
FROM = datetime(2026, 3, 10, tzinfo=UTC)
PERIOD = "from=2026-03-10T00:00:00Z&to=2026-03-15T00:00:00Z"
SIZES = ({"width": 390, "height": 844}, {"width": 1280, "height": 800}, {"width": 1920, "height": 1080})


def events(tenant: str) -> list[dict[str, object]]:
    """Return 27 events over five days, and 9 over the preceding five days. One action appears, and another vanishes."""

    def several(count: int, action: str, first: datetime, **values: object) -> list[dict[str, object]]:
        common = {
            "tenant_id": tenant,
            "action": action,
            "actor_id": "u-1",
            "actor_name": "Jane",
            "resource": "r",
        } | values
        times = (first + timedelta(hours=7 * number) for number in range(count))
        return [common | {"occurred_at": at, "resource_id": f"r-{number}"} for number, at in enumerate(times)]

    before = FROM - timedelta(days=4)
    return [
        *several(14, "user.login", FROM),
        *several(
            6, "document.deleted", FROM, outcome="denied", severity="High", actor_name=None, metadata={"region": "eu"}
        ),
        *several(4, "plan.new", FROM, metadata={"region": "us"}),
        *several(3, "audit_log.viewed", FROM),
        *several(7, "user.login", before),
        *several(2, "plan.old", before),
    ]


@pytest.fixture(scope="module")
def tenant(site: Site) -> str:
    """Provide a tenant that all tests of this module share, since they only read."""
    name = f"t{uuid.uuid4().hex[:12]}"
    site.emit(*events(name))
    return name


@pytest.fixture
def open_viewer(site: Site, tenant: str, browser: Browser) -> Iterator[OpenViewer]:
    """Provide a function that opens the viewer at an address. Script errors and policy violations fail the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def at(search: str = "", **options: object) -> Page:
        given = {"timezone_id": "UTC", "locale": "en-GB", "viewport": SIZES[1]} | options
        context = browser.new_context(**given)  # type: ignore[arg-type]
        contexts.append(context)
        site.give_session(context, tenant)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if "Policy" in message.text else None)
        page.goto(f"{site.url}/?{search}")
        expect(page.get_by_role("row").nth(2)).to_be_visible()
        return page

    yield at
    for context in contexts:
        context.close()
    assert errors == []


def address_params(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def rows(page: Page) -> Locator:
    return page.locator("auditlane-groups tbody tr")


def expect_rows(page: Page, *texts: str) -> None:
    expect(rows(page)).to_have_text(
        [re.compile(r"^\s*" + r"\s*".join(map(re.escape, text.split("|"))) + r"\s*$") for text in texts]
    )


def expect_listed(page: Page, number: int) -> None:
    expect(page.get_by_role("grid")).to_have_attribute("aria-rowcount", str(number + 1))
    expect(page.locator("auditlane-groups tfoot td").first).to_have_text(str(number))


def test_events_are_grouped_by_keyboard_and_a_row_lists_exactly_its_events(open_viewer: OpenViewer) -> None:
    page = open_viewer(PERIOD)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    button = page.get_by_role("button", name="Group and compare")
    button.focus()
    button.press("Enter")
    find = page.get_by_role("searchbox", name="Find a field")
    expect(find).to_be_focused()
    assert violations(page) == []
    find.press_sequentially("acti")
    expect(page.get_by_role("list", name="Count events by").get_by_role("button")).to_have_text(["Action"])
    find.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="By Action")).to_be_focused()
    assert address_params(page)["group"] == "action"
    expect_rows(page, "Signed in|14|51.9%", "document.deleted|6|22.2%", "plan.new|4|14.8%", "Audit log viewed|3|11.1%")
    expect_listed(page, 27)
    expect(page.locator("auditlane-groups .head")).to_contain_text("27 events, 3 hours per bar")
    expect(page.locator("auditlane-groups canvas")).to_be_visible()
    assert any("/chunks/groups-" in url for url in requests), "it is loaded when it is used first"

    # The bars are read and selected by keyboard, as in the histogram.
    bars = page.get_by_role("listbox", name=re.compile("Events over time by Action. peak of 4"))
    bars.focus()
    bars.press("Home")
    expect(page.locator("auditlane-groups .read")).to_contain_text(
        "4 events (Signed in: 1, document.deleted: 1, plan.new: 1)"
    )

    page.get_by_role("row", name="document.deleted").get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect_listed(page, 6)
    assert address_params(page)["query"] == "action:document.deleted"
    expect_rows(page, "document.deleted|6|100%")
    page.go_back()
    expect_listed(page, 27)
    rows(page).filter(has_text="Audit log viewed").get_by_role("button").click()  # not auditlane's own
    expect_listed(page, 3)
    page.go_back()
    page.go_back()
    expect(page.locator("auditlane-groups")).to_have_count(0)
    expect(page.locator("auditlane-histogram .headline")).to_have_text(re.compile("^27 events"))


@pytest.mark.parametrize(
    ("group", "name", "count", "query"),
    [
        ("actor", "Jane", 21, "actor_name:Jane"),
        ("actor", "u-1", 6, "actor_id:u-1 -actor_name:*"),
        ("metadata.region", "us", 4, "metadata.region:us"),
        ("metadata.region", "(no value)", 17, "-metadata.region:*"),
        ("resource_id", "Everything else", 4, None),
        ("severity", "High", 6, "severity:High"),
    ],
)
def test_each_kind_of_row_lists_exactly_its_events(open_viewer: OpenViewer, group, name, count, query) -> None:
    page = open_viewer(f"{PERIOD}&group={group}")
    row = rows(page).filter(has_text=name)
    expect(row.locator("td").first).to_have_text(str(count))
    row.get_by_role("button").click()
    expect_listed(page, count)
    if query:
        assert address_params(page)["query"] == query


def test_the_period_before_is_compared(open_viewer: OpenViewer) -> None:
    page = open_viewer(f"{PERIOD}&group=action&sort=occurred_at")
    page.get_by_role("button", name="By Action").click()
    page.get_by_role("checkbox", name="Compare with the period before").check()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="By Action")).to_be_focused()
    assert address_params(page)["compare"] == "1"
    compared = (
        "Signed in|14|7|+7 (+100%)",
        "document.deleted|6|0|new",
        "plan.new|4|0|new",
        "Audit log viewed|3|0|new",
        "plan.old|0|2|gone",
    )
    expect_rows(page, *compared)
    expect(page.locator("auditlane-groups tfoot")).to_have_text(re.compile(r"Total\s*27\s*9\s*\+18 \(\+200%\)"))
    expect(page.locator("auditlane-groups .head")).to_contain_text(
        "compared with 5 Mar 2026, 00:00 – 10 Mar 2026, 00:00, 3 new, 1 gone"
    )
    tiles = page.locator("auditlane-tiles")
    expect(tiles.get_by_role("button", name="Events in this period 27 +18 (+200%) Before: 9")).to_be_visible()
    expect(tiles.get_by_role("button", name="Severe 6 new Before: 0")).to_be_visible()
    assert violations(page) == []

    # The number before leads to that period's events, where what has vanished can be found.
    rows(page).filter(has_text="plan.old").get_by_role("button", name="2").click()
    expect_listed(page, 2)
    assert address_params(page)["from"] == "2026-03-05T00:00:00Z"
    page.go_back()
    rows(page).filter(has_text="Signed in").get_by_role("button", name="7").click()
    expect_listed(page, 7)


def test_without_a_start_there_is_no_period_before(open_viewer: OpenViewer) -> None:
    page = open_viewer("group=action&compare=1")
    expect_rows(
        page,
        "Signed in|21|58.3%",
        "document.deleted|6|16.7%",
        "plan.new|4|11.1%",
        "Audit log viewed|3|8.3%",
        "plan.old|2|5.6%",
    )
    expect(page.locator("auditlane-groups .head")).to_contain_text("To compare, choose a time range with a start")


def test_an_unknown_field_can_be_left(open_viewer: OpenViewer) -> None:
    page = open_viewer("group=occurred_at")
    expect(page.get_by_role("alert")).to_contain_text("Events cannot be grouped by “occurred_at”.")
    page.get_by_role("alert").get_by_role("button", name="No grouping").click()
    expect(page.locator("auditlane-histogram .headline")).to_have_text(re.compile("^36 events"))
    assert "group" not in address_params(page)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_groups_fit_and_are_accessible(open_viewer: OpenViewer, size: dict[str, int]) -> None:
    page = open_viewer(f"{PERIOD}&group=resource_id&compare=1", viewport=size, locale="de-DE", reduced_motion="reduce")
    expect(page.locator("auditlane-groups tfoot")).to_have_text(re.compile(r"Gesamt\s*27\s*9"))
    expect(page.locator("auditlane-groups canvas")).to_be_visible()
    expect(rows(page).filter(has_text="Alles andere").locator("td").first).to_have_text("4")
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    table = page.locator("auditlane-groups .list")
    assert table.evaluate("(list) => list.scrollWidth <= list.clientWidth")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == [], scheme
