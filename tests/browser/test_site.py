"""Tests the installation that the browser tests share. Users sign in with a link, and sample events are stored through
the real pipeline.
"""

from __future__ import annotations

from fixtures.site import Site
from playwright.sync_api import Page


def test_the_shared_installation_stores_and_returns_the_sample(site: Site, unique: str, page: Page) -> None:
    events = site.fill(unique, 50)
    site.sign_in(page, unique)
    assert page.url == f"{site.url}/"
    token = site.token(unique)
    found = site.request("/v1/events?limit=50", token).json()["data"]
    assert {one["event_id"] for one in found} == {one.event_id for one in events}
    assert found[0]["occurred_at"] == events[-1].occurred_at.isoformat().replace("+00:00", "Z")
    assert site.request("/v1/events", site.token_that_ends(unique, seconds=-1)).json()["code"] == "TOKEN_EXPIRED"
    site.generate(unique, 1_000)
    assert site.stored(unique) >= 1_050
