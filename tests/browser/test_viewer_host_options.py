"""Tests the host page's options (search, columns, row height, texts, hidden parts), the viewer's events, and a limited
token.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from fixtures.host_page import complaints, host_page
from fixtures.site import Site
from fixtures.workers import wait_until
from playwright.sync_api import Locator, Page, expect
from serving import HOUR

from auditlane.access.permissions import Permission
from auditlane.access.tokens import Viewer, mint_viewer_token

NOW = datetime.now(UTC).replace(microsecond=0)


def fill(site: Site, tenant: str) -> None:
    """Store 4 events for doc-7 and 6 for doc-8. The newest three of each are from today."""
    site.emit(
        *(
            {
                "tenant_id": tenant,
                "occurred_at": NOW - timedelta(minutes=number if number < 6 else 60 * 24 * 20),
                "action": f"document.{'read' if number % 2 else 'edited'}",
                "actor_id": "u-17",
                "resource": "document",
                "resource_id": "doc-7" if number in (0, 2, 4, 6) else "doc-8",
            }
            for number in range(10)
        )
    )


def table_of(page: Page) -> Locator:
    table = page.locator("auditlane-table")
    expect(table.get_by_role("grid")).to_have_attribute("aria-busy", "false")
    return table


def rows(table: Locator) -> Locator:
    return table.locator(".row[aria-rowindex]")


def listen(page: Page, *, keep_closed: bool = False) -> None:
    page.evaluate(
        """(keepClosed) => {
          window.seen = [];
          const viewer = document.querySelector("auditlane-viewer");
          viewer.addEventListener("auditlane-query", (event) => window.seen.push(event.detail));
          viewer.addEventListener("auditlane-open", (event) => {
            window.seen.push(event.detail.event.resource_id);
            if (keepClosed) event.preventDefault();
          });
        }""",
        keep_closed,
    )


def test_the_host_chooses_what_is_shown(site: Site, unique: str, page: Page) -> None:
    fill(site, unique)
    said = complaints(page)
    chosen: dict[str, str] = {
        "query": "resource_id:doc-7",
        "range": "7d",
        "columns": "occurred_at, resource_id, action",
        "density": "compact",
        "hide": "title tiles histogram live copy-link",
        "locale": "en-GB",
        "texts": json.dumps({"states.refresh": "Load again"}),
    }
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.goto(host_page(site, unique, [{"token": site.token(unique), **chosen}]))
    table = table_of(page)
    expect(rows(table)).to_have_count(3)
    expect(table.get_by_role("columnheader")).to_have_count(3)
    viewer = page.locator("auditlane-viewer")
    expect(viewer.get_by_role("button", name="Load again")).to_be_visible()
    for part in ("auditlane-tiles", "auditlane-histogram", "auditlane-live", "h2"):
        expect(viewer.locator(part)).to_have_count(0)
    expect(viewer.locator("auditlane-search")).to_have_count(1)
    assert not [one for one in requested if "/v1/stats" in one or "/v1/histogram" in one]
    expect(rows(table).first).to_have_css("height", "29px")
    assert said == []


def test_the_host_changes_the_search_and_hears_the_readers(site: Site, unique: str, page: Page) -> None:
    fill(site, unique)
    page.goto(host_page(site, unique, [{"token": site.token(unique)}]))
    table = table_of(page)
    expect(rows(table)).to_have_count(10)
    listen(page)
    viewer = page.locator("auditlane-viewer")
    viewer.evaluate("(element) => (element.query = 'resource_id:doc-8')")
    expect(rows(table)).to_have_count(6)
    viewer.evaluate("(element) => (element.range = '24h')")
    expect(rows(table)).to_have_count(3)
    viewer.evaluate("(element) => element.setAttribute('density', 'compact')")
    expect(rows(table).first).to_have_css("height", "29px")
    search = viewer.get_by_role("combobox").first
    search.fill("action:document.read")
    search.press("Enter")
    wait_until(lambda: page.evaluate("window.seen.length") == 3)
    expect(rows(table)).to_have_count(3)
    wanted = [
        {"query": "resource_id:doc-8", "range": ""},
        {"query": "resource_id:doc-8", "range": "24h"},
        {"query": "action:document.read", "range": "24h"},
    ]
    assert page.evaluate("window.seen") == wanted


def test_an_address_with_a_search_takes_precedence(site: Site, unique: str, page: Page) -> None:
    fill(site, unique)
    address = host_page(site, unique, [{"token": site.token(unique), "address": "", "query": "resource_id:doc-7"}])
    page.goto(address)
    expect(rows(table_of(page))).to_have_count(4)
    page.goto(f"{address}?query=resource_id%3Adoc-8")
    expect(rows(table_of(page))).to_have_count(6)


def test_the_host_hears_of_an_opened_event_and_may_show_it_itself(site: Site, unique: str, page: Page) -> None:
    fill(site, unique)
    page.goto(host_page(site, unique, [{"token": site.token(unique), "query": "resource_id:doc-7"}]))
    table = table_of(page)
    listen(page, keep_closed=True)
    rows(table).first.click()
    assert page.evaluate("window.seen") == ["doc-7"]
    expect(table.locator("auditlane-details")).to_have_count(0)
    listen(page)
    page.reload()
    table = table_of(page)
    listen(page)
    rows(table).first.click()
    expect(table.locator("auditlane-details")).to_be_visible()
    assert page.evaluate("window.seen") == ["doc-7"]


def test_mistakes_are_named_in_the_console_and_ignored(site: Site, unique: str, page: Page) -> None:
    fill(site, unique)
    said = complaints(page)
    wrong = {"hide": "menu", "density": "tall", "range": "soon", "locale": "en_GB", "texts": '{"states.nothing": "x"}'}
    page.goto(host_page(site, unique, [{"token": site.token(unique), **wrong}]))
    expect(rows(table_of(page))).to_have_count(10)
    for name in wrong:
        assert [one for one in said if one.startswith(f"warning: auditlane: {name}: ")], (name, said)


def test_a_limited_token_embeds_the_activity_of_one_document(site: Site, unique: str, page: Page) -> None:
    """The limit also applies to searches, suggestions and counts."""
    fill(site, unique)
    permissions = frozenset({Permission.read, Permission.export})
    limited = Viewer(unique, "jane", permissions, base_filter=(("resource_id", "doc-7"),))
    token = mint_viewer_token(site.served.signing, limited, now=datetime.now(UTC), ttl=HOUR).text
    page.goto(host_page(site, unique, [{"token": token, "query": "resource_id:*"}]))
    table = table_of(page)
    expect(rows(table)).to_have_count(4)
    viewer = page.locator("auditlane-viewer")
    viewer.evaluate("(element) => (element.query = 'NOT resource_id:doc-7')")
    expect(rows(table)).to_have_count(0)
    found: list[dict[str, Any]] = page.evaluate(
        """async ([url, token]) => {
          const headers = {Authorization: `Bearer ${token}`};
          const answer = await fetch(`${url}/v1/facets?field=resource_id`, {headers});
          return (await answer.json()).data;
        }""",
        [site.url, token],
    )
    assert [one["value"] for one in found] == ["doc-7"]
    assert "doc-8" not in page.content()


def test_the_host_styles_rows_cells_and_heads(site: Site, unique: str, page: Page) -> None:
    fill(site, unique)
    page.goto(host_page(site, unique, [{"token": site.token(unique)}]))
    table = table_of(page)
    site.vendor.put(
        "/host.css",
        "auditlane-viewer::part(head-cell) { text-transform: uppercase; }"
        "auditlane-viewer::part(row) { font-style: italic; } auditlane-viewer::part(cell) { letter-spacing: 1px; }",
        "text/css",
    )
    page.reload()
    table = table_of(page)
    name = table.get_by_role("columnheader").first.locator(".name")
    expect(name).to_have_css("text-transform", "uppercase")
    expect(rows(table).first).to_have_css("font-style", "italic")
    expect(rows(table).first.locator(".cell").first).to_have_css("letter-spacing", "1px")


def test_an_element_of_little_height_leaves_it_to_the_events(site: Site, unique: str, page: Page) -> None:
    fill(site, unique)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    address = host_page(site, unique, [{"token": site.token(unique)}])
    site.vendor.put("/host.css", "body { margin: 0; } auditlane-viewer { height: 480px; }", "text/css")
    page.goto(address)
    expect(rows(table_of(page)).nth(6)).to_be_in_viewport(ratio=1)
    viewer = page.locator("auditlane-viewer")
    expect(viewer.locator("auditlane-tiles")).to_have_count(0)
    show = viewer.get_by_role("button", name="Show chart")
    expect(show).to_have_attribute("aria-expanded", "false")
    assert not [one for one in requested if "/v1/stats" in one or "/v1/histogram" in one]
    show.click()
    expect(viewer.get_by_role("listbox")).to_be_visible()
    site.vendor.put("/host.css", "body { margin: 0; } auditlane-viewer { height: 700px; }", "text/css")
    page.reload()
    expect(viewer.locator("auditlane-tiles")).to_be_visible()
    expect(viewer.get_by_role("listbox")).to_be_visible()
