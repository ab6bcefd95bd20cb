"""Tests the log's plain page in a real browser. Events, details, filters, paging and downloads work without scripts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fixtures.axe import violations
from playwright.sync_api import BrowserContext, Page, expect
from querying import START, event, served, store

from auditlane.query.export.exporter import Exporter
from auditlane.query.reader import Reader

TOTAL = 120
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


@pytest.fixture(scope="module")
def url(clickhouse: str) -> Iterator[str]:
    with store(clickhouse) as filled:
        filled.add(
            [
                event(
                    number,
                    occurred_at=START + timedelta(minutes=number),
                    action="document.deleted" if number % 10 == 0 else "login",
                    actor_name=f"person-{number}",
                    outcome=("success", "failure", "denied", "unknown")[number % 4],
                    severity=("Info", "Low", "Medium", "High", "Critical", "Error")[number % 6],
                    ip="10.0.0.1",
                    before='{"title": "old"}' if number == TOTAL - 1 else None,
                    after='{"title": "new"}' if number == TOTAL - 1 else None,
                    metadata={"region": "eu" if number % 2 else "us"},
                )
                for number in range(TOTAL)
            ]
        )
        filled.add([event(1_000, "hostile", action=HOSTILE, description=HOSTILE, metadata={HOSTILE: HOSTILE})])
        reader, exporter = Reader(filled.settings), Exporter(filled.settings)
        with served(reader, exporter) as address:
            yield address
        reader.close()
        exporter.close()


def sign_in(context: BrowserContext, url: str, tenant: str) -> None:
    context.add_cookies([{"name": "tenant", "value": tenant, "url": url}])


def expect_actors(page: Page, names: list[str]) -> None:
    expect(page.locator("td.actor")).to_have_text(names)


def person_names(*numbers: int) -> list[str]:
    return [f"person-{number}" for number in numbers]


def test_events_are_paged_and_have_details(page: Page, context: BrowserContext, url: str) -> None:
    sign_in(context, url, "acme")
    page.goto(url + "/plain")
    expect(page.get_by_role("heading", level=1)).to_contain_text("acme")
    expect_actors(page, person_names(*range(119, 69, -1)))
    assert page.locator("tr.event").first.locator(".severity").inner_text().strip() == "Error"

    page.get_by_role("link", name="Older").first.click()
    expect_actors(page, person_names(*range(69, 19, -1)))
    page.get_by_role("link", name="Older").first.click()
    expect_actors(page, person_names(*range(19, -1, -1)))
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    page.get_by_role("link", name="Newer").first.click()
    page.get_by_role("link", name="Newer").first.click()
    expect_actors(page, person_names(*range(119, 69, -1)))
    expect(page).to_have_url(url + "/plain")

    first = page.locator("tbody").first
    arrow, time = first.locator("summary").bounding_box(), first.locator("time").bounding_box()
    assert arrow
    assert time
    assert arrow["x"] + arrow["width"] <= time["x"]
    assert arrow["width"] >= 24  # WCAG 2.2, 2.5.8: minimum target size
    assert arrow["height"] >= 24
    expect(first.get_by_text('"old"')).to_be_hidden()
    first.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(first.get_by_text('"old"')).to_be_visible()
    expect(first.get_by_text('"new"')).to_be_visible()
    first.get_by_role("link", name="Filter by metadata.region: eu").click()
    expect_actors(page, person_names(*range(119, 19, -2)))
    page.get_by_role("link", name="Remove filter: metadata.region: eu").click()
    expect(page).to_have_url(url + "/plain")


def test_filters_narrow_the_list_and_can_be_cleared(page: Page, context: BrowserContext, url: str) -> None:
    sign_in(context, url, "acme")
    page.goto(url + "/plain")
    page.get_by_label("Action", exact=True).fill("document.deleted")
    page.get_by_label("Outcome", exact=True).select_option("denied")
    page.get_by_role("button", name="Filter").click()
    expect_actors(page, person_names(110, 90, 70, 50, 30, 10))
    assert page.get_by_label("Action", exact=True).input_value() == "document.deleted"
    assert page.get_by_label("Outcome", exact=True).input_value() == "denied"

    page.get_by_role("link", name="Clear").click()
    page.get_by_label("From (UTC)", exact=True).fill("2026-03-01T12:05")
    page.get_by_label("To (UTC, exclusive)", exact=True).fill("2026-03-01T12:08")
    page.get_by_label("Search", exact=True).fill("PERSON")
    page.keyboard.press("Enter")
    expect_actors(page, person_names(7, 6, 5))

    page.get_by_label("Search", exact=True).fill("nobody such")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("heading", name="No matching events")).to_be_visible()


def test_downloads_contain_the_filtered_events(page: Page, context: BrowserContext, url: str, tmp_path: Path) -> None:
    sign_in(context, url, "acme")
    page.goto(url + "/plain?action=document.deleted")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename.startswith("audit-acme-")
    download.value.save_as(tmp_path / "log.csv")
    text = (tmp_path / "log.csv").read_bytes().decode()
    found = [row["Actor"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert found == person_names(*range(110, -1, -10))
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON Lines").click()
    download.value.save_as(tmp_path / "log.jsonl")
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["actor_name"] for line in lines] == found


def test_hostile_text_is_not_executed(page: Page, context: BrowserContext, url: str) -> None:
    sign_in(context, url, "hostile")
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto(url + "/plain")
    assert page.locator("td.action").inner_text() == HOSTILE
    page.locator("summary").click()
    expect(page.locator("dl")).to_contain_text(HOSTILE)
    assert page.locator("img").count() == 0
    assert dialogs == []


def test_without_a_session_or_events_the_page_explains_the_next_step(
    page: Page, context: BrowserContext, url: str
) -> None:
    page.goto(url + "/plain")
    expect(page.locator("main")).to_contain_text("Open the log from your application")
    sign_in(context, url, "nobody")
    page.goto(url + "/plain")
    expect(page.get_by_role("heading", name="No events yet")).to_be_visible()
    expect(page.locator("main")).to_contain_text("auditlane emit --tenant nobody")


def test_the_content_policy_allows_the_pages_own_styles(page: Page, context: BrowserContext, url: str) -> None:
    """The style sheet applies in light and dark mode, and the browser's console stays empty."""
    messages = []
    page.on("console", lambda message: messages.append(message.text))
    sign_in(context, url, "acme")
    backgrounds = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(url + "/plain")
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert backgrounds == {"rgb(246, 247, 249)", "rgb(18, 21, 26)"}
    assert messages == []


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_plain_page_is_accessible(
    page: Page, context: BrowserContext, url: str, language: str, node_modules: Path
) -> None:
    sign_in(context, url, "acme")
    for query in ("", "&action=login&ip=10.0.0.1", "&action=nothing", "&from=nonsense"):
        page.goto(f"{url}/plain?lang={language}{query}")
        expect(page.locator("html")).to_have_attribute("lang", language)
        for arrow in page.locator("summary").all()[:1]:
            arrow.click()
        assert violations(page, whole_page=True) == [], query
