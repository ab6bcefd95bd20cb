"""The console in a real browser, on the real parts: opened by a link, read, and left for a tenant's log."""

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


def test_from_a_link_to_a_tenants_log(world: World, page: Page) -> None:
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
        expect(page.locator("#tenants tbody tr")).not_to_have_count(0)
        page.get_by_label("Starts with").fill("tenant3")
        page.get_by_role("button", name="Find").click()
        expect(page.locator("#tenants tbody tr")).to_have_count(1)
        page.get_by_role("button", name="View as tenant3").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("tenant3")
        assert page.url == f"{served.url}/"
        expect(page.get_by_text("You are viewing the log of tenant3")).to_be_visible()
        page.get_by_role("link", name="Back to the console").click()
        assert page.url == f"{served.url}/console"
        page.goto(f"{served.url}/plain")
        expect(page.locator("td.action").filter(has_text=re.compile(r"^act"))).not_to_have_count(0)
        wait_until(lambda: page.reload() and page.get_by_text("audit_log.viewed_as_tenant").count())
        page.goto(f"{served.url}/console")
        expect(page.locator("#lag")).to_contain_text("behind")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("You are signed out")
        page.goto(f"{served.url}/console")
        expect(page.get_by_role("heading", level=1)).to_contain_text("You need a link")
        # The answer 401 is one that a browser tells its console.
        assert [text for text in errors if "401" not in text] == []


def test_it_renews_itself_and_keeps_what_one_was_doing(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 10)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    follow(page, site.console_link())
    page.goto(f"{site.url}/console?prefix={unique}")
    row = page.locator("#tenants tbody tr")
    expect(row).to_contain_text("10")
    expect(page.locator("#rate")).to_contain_text("events per second")
    find = page.get_by_label("Starts with")
    find.fill("half typed")
    wait_for(page, "window.row = document.querySelector('#tenants tbody tr')")
    site.emit(*[{"tenant_id": unique, "action": "more", "actor_id": "a"}] * 5)
    expect(row).to_contain_text("15", timeout=20_000)
    expect(find).to_be_focused()
    expect(find).to_have_value("half typed")
    assert page.evaluate("window.row === document.querySelector('#tenants tbody tr')")  # changed in place
    # What came before the service first looked at Kafka is not in its rate.
    arrived = "[...document.querySelectorAll('#rate strong')].at(-1).innerText.replaceAll(',', '')"
    wait_for(page, f"Number({arrived}) >= 5")
    page.get_by_role("button", name="Pause").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    site.emit({"tenant_id": unique, "action": "more", "actor_id": "a"})
    page.get_by_role("button", name="Resume").click()
    expect(row).to_contain_text("16", timeout=20_000)
    assert asked
    assert set(asked) == {f"{site.url}/console?prefix={unique}"}
    assert complaints == []


def test_a_session_that_ended_is_told_and_nothing_is_asked_again(site: Site, page: Page) -> None:
    follow(page, site.console_link())
    page.context.clear_cookies()
    expect(page.locator(".fresh")).to_contain_text("Your session has expired", timeout=20_000)
    expect(page.locator("#parts")).to_contain_text("clickhouse")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)


def test_what_an_operator_sets_is_kept_by_the_operators_name(site: Site, unique: str, page: Page) -> None:
    site.fill(unique, 3)
    follow(page, site.console_link("olga"))
    page.goto(f"{site.url}/console?prefix={unique}")
    page.get_by_role("link", name=f"Settings of {unique}").click()
    expect(page.get_by_role("heading", level=2).first).to_contain_text(unique)
    path = f"/console/v1/tenants/{unique}/structure"
    put = """path => fetch(path, {method: "PUT", body: JSON.stringify({enabled: false}),
        headers: {"Content-Type": "application/json", "If-Match": "*"}}).then((one) => one.json())"""
    changed = page.evaluate(put, path)
    assert (changed["effectiveEnabled"], changed["changedBy"]) == (False, "olga")
    assert site.request("/v1/events", site.token(unique)).json()["code"] == "AUDIT_LOGS_DISABLED"
    told = page.evaluate("fetch('/console/v1/session').then((one) => one.json())")
    assert (told["scope"], told["tenant"], told["user"]) == ("environment", None, "olga")
    assert "audits:configure" in told["permissions"]
    where = "tenant_id = {tenant:String} AND action = 'audit_logs.disabled'"
    query = f"SELECT actor_id FROM {site.world.events} WHERE {where}"
    rows = wait_until(lambda: site.world.client.query(query, {"tenant": unique}).result_rows)
    assert rows == [("olga",)]


def test_axe_finds_nothing_in_the_consoles_pages_and_they_fit_a_phone(
    site: Site, unique: str, page: Page, node_modules: Path
) -> None:
    site.fill(unique, 3)
    follow(page, site.console_link())
    # The wide page in English, the narrow one in German, whose words are longer.
    for scheme, width, lang in (("light", 1280, "en"), ("dark", 360, "de")):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 780})
        for path in (f"/console?prefix={unique}&", "/console/settings?", f"/console/settings?tenant={unique}&"):
            page.goto(f"{site.url}{path}lang={lang}")
            expect(page.get_by_role("heading", level=2).first).to_be_visible()
            assert violations(page, whole_page=True) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto(f"{site.url}/console?prefix={unique}&lang=en")
    for way in (page.get_by_role("button", name=f"View as {unique}"), page.get_by_role("link", name=f"of {unique}")):
        expect(way).to_be_in_viewport(ratio=1)
    row = page.get_by_role("row").filter(has_text=unique)
    expect(row.get_by_role("cell").first).to_have_text("3")
    boxes = page.locator("#tenants tbody tr, #lag tbody tr").evaluate_all("(all) => all.map((one) => one.offsetHeight)")
    assert max(boxes[1:]) < 45  # a partition is one line
    assert boxes[0] < 130


def test_the_console_in_german(site: Site, unique: str, browser: Browser, node_modules: Path) -> None:
    site.fill(unique, 3)
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    follow(page, site.console_link())
    page.goto(f"{site.url}/console?prefix={unique}")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("#tenants tbody tr")).to_contain_text("Ansehen als")
    expect(page.locator("#parts")).to_contain_text("bereit")
    expect(page.locator("#parts")).to_contain_text("im Rückstand")
    expect(page.locator(".fresh")).to_contain_text("Stand:", timeout=20_000)  # renewed, in German too
    expect(page.locator("#rate")).to_contain_text("Ereignisse pro Sekunde")
    page.get_by_role("button", name="Anhalten").click()
    expect(page.get_by_role("button", name="Fortsetzen")).to_be_visible()
    assert violations(page, whole_page=True) == []
    page.get_by_role("link", name=f"Einstellungen von {unique}").click()
    expect(page.get_by_role("heading", name="Felder")).to_be_visible()  # the settings follow the page
    assert violations(page, whole_page=True) == []
    # A language that the address names stays with its reader.
    page.goto(f"{site.url}/console?lang=en")
    page.get_by_role("link", name="Environment settings").click()
    page.get_by_role("link", name="Back to the console").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url == f"{site.url}/console?lang=en"
    context.close()
