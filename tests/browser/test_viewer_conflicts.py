"""Tests how the viewer shows conflicting events, provenance, and fields with the names of inherited members. Services
are real.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fixtures.axe import violations
from fixtures.host_page import host_page
from fixtures.site import Site
from playwright.sync_api import Locator, Page, Route, expect

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
EXPLANATION = {
    "en": "Another event has the same ID and time but different content. Both are kept.",
    "de": "Ein weiteres Ereignis hat dieselbe ID und Zeit, aber einen anderen Inhalt. Beide bleiben erhalten.",
}
INHERITED = ("__proto__", "constructor", "toString")


def event(tenant: str, action: str, second: int = 0, **values: Any) -> dict[str, Any]:
    return {"tenant_id": tenant, "occurred_at": NOW + timedelta(seconds=second), "action": action} | values


def open_viewer(site: Site, page: Page, tenant: str) -> Locator:
    page.goto(host_page(site, tenant, [{"token": site.token(tenant), "address": ""}]))
    table = page.locator("auditlane-table")
    expect(table.get_by_role("grid")).to_have_attribute("aria-busy", "false")
    return table


@pytest.mark.parametrize("lang", ["en", "de"])
def test_conflicting_events_are_separate_rows_marked_as_conflicts(
    site: Site, unique: str, page: Page, lang: str
) -> None:
    id_ = str(uuid.uuid4())
    site.emit(event(unique, "others", 1), event(unique, "forged", event_id=id_), event(unique, "real", event_id=id_))
    table = open_viewer(site, page, unique)
    page.locator("auditlane-viewer").evaluate("(viewer, lang) => (viewer.lang = lang)", lang)
    rows = {action: table.locator(".row", has_text=action) for action in ("others", "forged", "real")}
    expect(rows["real"].locator(".conflict")).to_have_attribute("title", EXPLANATION[lang])
    expect(rows["forged"].locator(".conflict")).to_have_text("Conflict" if lang == "en" else "Konflikt")
    expect(rows["others"].locator(".conflict")).to_have_count(0)

    details = table.locator("auditlane-details")
    for action in ("real", "forged"):
        rows[action].click()
        expect(details.get_by_role("heading", name=action)).to_be_visible()
        expect(details.get_by_role("note")).to_contain_text(EXPLANATION[lang])
        expect(details.locator(".line", has_text="Kafka")).to_contain_text(f"Kafka ({site.world.settings.topic})")
        expect(table.locator(".row[aria-selected=true]")).to_have_count(1)
        expect(rows[action]).to_have_attribute("aria-selected", "true")
    assert [one for one in violations(page) if "auditlane-details" in one or "auditlane-table" in one] == []

    page.reload()  # the address identifies which of the two is open
    expect(details.get_by_role("heading", name="forged")).to_be_visible()
    rows["others"].click()
    expect(details.get_by_role("heading", name="others")).to_be_visible()
    expect(details.get_by_role("note")).to_have_count(0)
    rows["real"].click()
    details.get_by_role("note").get_by_role("button").click()
    expect(rows["others"]).to_have_count(0)
    expect(table.locator(".row:not(.loading)", has_text="forged")).to_have_count(1)
    expect(table.locator(".row:not(.loading)", has_text="real")).to_have_count(1)


def test_a_field_may_have_the_name_of_an_inherited_member(site: Site, unique: str, page: Page) -> None:
    """Contracts reject the names of inherited members, but the viewer must not rely on that."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    site.emit(event(unique, "plain"), event(unique, "other"))

    def with_fields(route: Route) -> None:
        fetched = route.fetch()
        body = fetched.json()
        template = next(one for one in body["fields"] if one["name"] == "description")
        for name in INHERITED:
            more = {"name": name, "displayName": f"Own {name}", "custom": True, "parameter": f"fields.{name}"}
            body["fields"].append(template | more | {"showInTable": True, "showInMoreInfo": True})
        route.fulfill(response=fetched, json=body)

    page.route("**/v1/tenants/*/structure", with_fields)
    table = open_viewer(site, page, unique)
    for name in INHERITED:
        expect(table.get_by_role("columnheader", name=f"Own {name}").first).to_be_attached()
    row = table.locator(".row", has_text="plain")
    expect(row.locator(".cell").last).to_have_text("–no value")
    row.click()
    expect(table.locator("auditlane-details").get_by_role("heading", name="plain")).to_be_visible()
    assert errors == []
