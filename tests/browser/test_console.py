"""Tests the console in a real browser with real services: opening it with a link, refreshing it, and opening a
tenant's log.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fixtures.axe import violations
from fixtures.site import Site, follow, wait_for
from fixtures.workers import World, wait_until
from playwright.sync_api import Browser, Page, expect
from serving import Served

from auditlane.access.links import mint_console_link
from auditlane.access.tokens import Operator
from auditlane.observe.history import Observation, save


def test_a_link_opens_the_console_which_leads_to_a_tenants_log(world: World, page: Page) -> None:
    world.produce(14)
    world.send(b"\x01junk", key="tenant3")
    world.worker()
    world.stored(14)
    world.completed()
    settings = world.settings.model_dump(exclude_unset=True) | {"audit_aggregation_s": 0.2}
    with Served(world.folder, **settings) as served:
        hour, now = timedelta(hours=1), datetime.now(UTC)
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        follow(page, mint_console_link(served.signing, Operator("ops"), url=served.url, now=now, session=hour))
        assert page.url == f"{served.url}/console"
        expect(page.locator("#parts")).to_contain_text("clickhouse")
        expect(page.locator("#parts")).not_to_contain_text("down")
        expect(page.locator("#dead-letters")).to_contain_text("NOT_FRAMED")
        page.get_by_role("link", name="Tenants", exact=True).click()
        expect(page.locator("#tenants tbody tr")).not_to_have_count(0)
        page.get_by_label("Contains").fill("NANT3")
        page.get_by_role("button", name="Find").click()
        expect(page.locator("#tenants tbody tr")).to_have_count(1)
        expect(page.get_by_role("link", name="Dead letters of tenant3: 1")).to_be_visible()
        page.get_by_role("button", name="View as tenant3").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("tenant3")
        assert page.url == f"{served.url}/"
        expect(page.get_by_text("You are viewing the log of tenant3")).to_be_visible()
        page.get_by_role("link", name="Back to the console").click()
        assert page.url == f"{served.url}/console"
        page.goto(f"{served.url}/plain?include_access=true")
        expect(page.locator("td.action").filter(has_text=re.compile(r"^act"))).not_to_have_count(0)
        wait_until(lambda: page.reload() and page.get_by_text("audit_log.viewed_as_tenant").count())
        page.goto(f"{served.url}/console")
        expect(page.locator("#lag")).to_contain_text("behind")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("You are signed out")
        page.goto(f"{served.url}/console")
        expect(page.get_by_role("heading", level=1)).to_contain_text("You need a link")
        # Browsers log a 401 response to their console.
        assert [text for text in errors if "401" not in text] == []


def test_refreshing_keeps_the_focus_and_typed_text(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 10)
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    follow(page, site.console_link())
    page.goto(f"{site.url}/console/tenants?search={unique}")
    row = page.locator("#tenants tbody tr")
    expect(row).to_contain_text("10")
    find = page.get_by_label("Contains")
    find.fill("half typed")
    wait_for(page, "window.row = document.querySelector('#tenants tbody tr')")
    site.emit(*[{"tenant_id": unique, "action": "more", "actor_id": "a"}] * 5)
    expect(row).to_contain_text("15", timeout=20_000)
    expect(find).to_be_focused()
    expect(find).to_have_value("half typed")
    assert page.evaluate("window.row === document.querySelector('#tenants tbody tr')")  # updated in place
    page.get_by_role("button", name="Pause").click()
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    site.emit({"tenant_id": unique, "action": "more", "actor_id": "a"})
    page.get_by_role("button", name="Resume").click()
    expect(row).to_contain_text("16", timeout=20_000)
    assert requested
    assert set(requested) == {f"{site.url}/console/tenants?search={unique}"}
    assert messages == []


def test_an_opened_table_stays_open_and_the_period_can_be_changed(site: Site, page: Page) -> None:
    at = datetime.now(UTC) - timedelta(minutes=3)
    save(site.world.client, site.world.settings.clickhouse_database, at, Observation(received_per_second=4_321.0))
    follow(page, site.console_link())
    page.get_by_role("link", name="24 hours").click()
    expect(page.get_by_role("link", name="24 hours")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("img", name="Events per second")).to_be_visible()
    table = page.get_by_role("region", name="Measurements by hour")
    expect(table).to_be_hidden()
    page.get_by_text("The same measurements as a table").click()
    expect(table).to_be_visible()
    expect(page.locator(".fresh")).to_contain_text("Updated at", timeout=20_000)
    expect(table).to_be_visible()


def test_an_expired_session_is_reported_and_refreshing_stops(site: Site, page: Page) -> None:
    follow(page, site.console_link())
    page.context.clear_cookies()
    expect(page.locator(".fresh")).to_contain_text("Your session has expired", timeout=20_000)
    expect(page.locator("#parts")).to_contain_text("clickhouse")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)


def test_an_operators_changes_are_recorded_with_the_operators_name(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 3)
    follow(page, site.console_link("olga"))
    page.goto(f"{site.url}/console/tenants?search={unique}")
    page.get_by_role("link", name=f"Settings of {unique}").click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text(unique)
    path = f"/console/v1/tenants/{unique}/structure"
    put = """path => fetch(path, {method: "PUT", body: JSON.stringify({enabled: false}),
        headers: {"Content-Type": "application/json", "If-Match": "*"}}).then((one) => one.json())"""
    changed = page.evaluate(put, path)
    assert (changed["effectiveEnabled"], changed["changedBy"]) == (False, "olga")
    assert site.request("/v1/events", site.token(unique)).json()["code"] == "AUDIT_LOGS_DISABLED"
    session_info = page.evaluate("fetch('/console/v1/session').then((one) => one.json())")
    assert (session_info["scope"], session_info["tenant"], session_info["user"]) == ("environment", None, "olga")
    assert "audits:configure" in session_info["permissions"]
    where = "tenant_id = {tenant:String} AND action = 'audit_logs.disabled'"
    query = f"SELECT actor_id FROM {site.world.events} WHERE {where}"
    rows = wait_until(lambda: site.world.client.query(query, {"tenant": unique}).result_rows)
    assert rows == [("olga",)]


def test_the_consoles_pages_are_accessible_and_fit_a_phone(
    site: Site, unique: str, page: Page, node_modules: Path
) -> None:
    site.fill(unique, 3)
    for minutes in (5, 90, 120, 125):
        at = datetime.now(UTC) - timedelta(minutes=minutes)
        measured = Observation(received_per_second=100.0 + minutes, lag_seconds=2.5, dead_letters=minutes)
        save(site.world.client, site.world.settings.clickhouse_database, at, measured)
    follow(page, site.console_link())
    # German is checked on the narrow page, since German words are longer.
    for scheme, width, lang in (("light", 1280, "en"), ("dark", 360, "de")):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 780})
        paths = ("/console?", f"/console/tenants?search={unique}&", "/console/keys?", "/console/dead-letters?")
        for path in (*paths, "/console/settings?", f"/console/settings?tenant={unique}&"):
            page.goto(f"{site.url}{path}lang={lang}")
            expect(page.get_by_role("heading", level=2).first).to_be_visible()
            assert violations(page, whole_page=True) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            if path.startswith("/console?"):
                chart = page.locator("#chart-rate svg")
                assert chart.locator(".line").first.evaluate("(line) => line.getTotalLength()") > 0
                text = chart.locator(".scale").first.evaluate("(text) => text.getBoundingClientRect().height")
                assert text > 9  # legible, also on a phone
    page.goto(f"{site.url}/console?lang=en")
    boxes = page.locator("#lag tbody tr").evaluate_all("(all) => all.map((one) => one.offsetHeight)")
    assert max(boxes) < 45  # each partition is one line
    page.goto(f"{site.url}/console/tenants?search={unique}&lang=en")
    for control in (
        page.get_by_role("button", name=f"View as {unique}"),
        page.get_by_role("link", name=f"of {unique}"),
    ):
        expect(control).to_be_in_viewport(ratio=1)
    row = page.get_by_role("row").filter(has_text=unique)
    expect(row.get_by_role("cell").first).to_have_text("3")
    assert page.locator("#tenants tbody tr").evaluate("(row) => row.offsetHeight") < 150


def test_the_console_in_german(site: Site, unique: str, browser: Browser, node_modules: Path) -> None:
    site.fill(unique, 3)
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    follow(page, site.console_link())
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("#parts")).to_contain_text("bereit")
    expect(page.locator("#parts")).to_contain_text("im Rückstand")
    expect(page.locator(".fresh")).to_contain_text("Stand:", timeout=20_000)  # refreshed, still in German
    expect(page.locator("#rate")).to_contain_text("Ereignisse pro Sekunde")
    page.get_by_role("button", name="Anhalten").click()
    expect(page.get_by_role("button", name="Fortsetzen")).to_be_visible()
    assert violations(page, whole_page=True) == []
    page.get_by_role("link", name="Mandanten", exact=True).click()
    page.goto(f"{page.url}?search={unique}")
    expect(page.locator("#tenants tbody tr")).to_contain_text("Ansehen als")
    page.get_by_role("link", name=f"Einstellungen von {unique}").click()
    expect(page.get_by_role("heading", name="Felder")).to_be_visible()  # the settings have the page's language
    assert violations(page, whole_page=True) == []
    # A language chosen in the address is kept across pages.
    page.goto(f"{site.url}/console?lang=en")
    page.get_by_role("link", name="Environment settings").click()
    page.get_by_role("link", name="Overview").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url == f"{site.url}/console?lang=en"
    context.close()
