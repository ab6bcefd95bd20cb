"""Tests a typical task from start to end: find out who deleted what on a given day, narrow it to what was denied, share
the result, and download it.
"""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from fixtures.site import Site
from playwright.sync_api import Page, expect

MOST_CLICKS = 7


@pytest.mark.parametrize("width", [390, 1280])
def test_denied_deletions_of_a_day_are_shared_and_downloaded_in_few_clicks(
    site: Site, unique: str, page: Page, width: int
) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)

    def event(action: str, outcome: str, hours: int) -> dict[str, object]:
        at = noon + timedelta(hours=hours)
        return {"tenant_id": unique, "action": action, "outcome": outcome, "occurred_at": at, "actor_id": f"u{hours}"}

    site.emit(
        event("document.deleted", "denied", 0),
        event("project.deleted", "denied", 1),
        event("project.deleted", "success", 2),
        event("document.opened", "denied", 3),
        event("document.deleted", "denied", 24),
        event("project.deleted", "denied", -24),
    )
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.set_viewport_size({"width": width, "height": 844})
    site.give_session(page.context, unique)
    page.goto(f"{site.url}/?range=30d&tz=UTC")
    viewer = page.locator("auditlane-viewer")
    expect(viewer.locator("auditlane-table time").nth(5)).to_be_visible()
    page.evaluate("addEventListener('click', (event) => (window.clicks = (window.clicks ?? 0) + 1), true)")

    viewer.get_by_role("button", name=re.compile("^Time range: ")).click()
    calendar = viewer.locator("calendar-month")
    if f"{noon:%B}" not in viewer.locator("[slot=heading]").inner_text():
        viewer.locator("calendar-range").get_by_role("img", name="Previous month").click()
    calendar.get_by_role("button", name=re.compile(rf"\b{noon:%B} {noon.day}$|\b{noon.day} {noon:%B}$")).click()
    expect(viewer.get_by_text("is shown. Choose a second day to extend it.")).to_be_visible()
    viewer.get_by_role("button", name="Filter", exact=True).click()
    find = viewer.get_by_role("searchbox", name="Find a field or value")
    for text, chip in (("denied", "Outcome is Denied"), ("deleted", "Action contains deleted")):
        expect(find).to_be_focused()
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        expect(viewer.get_by_role("list", name="Active filters")).to_contain_text(chip)
    viewer.get_by_role("button", name="Copy link", exact=True).click()
    expect(viewer.get_by_role("status").filter(has_text="Link copied")).to_be_visible()
    viewer.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as started:
        viewer.get_by_role("dialog").get_by_role("button", name="Download CSV").click()
    assert page.evaluate("window.clicks") <= MOST_CLICKS

    rows = list(csv.DictReader(io.StringIO(started.value.path().read_text(encoding="utf-8-sig"), newline="")))
    assert [(row["Action"], row["Actor ID"]) for row in rows] == [("project.deleted", "u1"), ("document.deleted", "u0")]
    page.goto(page.evaluate("navigator.clipboard.readText()"))
    expect(viewer.locator(".row").filter(has=page.locator("time"))).to_have_count(2)
