"""Tests the console's dead-letter pages in a real browser. Letters are opened, replayed and closed, and the log of
`_auditlane` names the operator.
"""

from __future__ import annotations

import io
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fastavro
import pytest
import urllib3
import validating
from fixtures.axe import violations
from fixtures.site import Site, follow
from fixtures.workers import wait_until
from playwright.sync_api import Browser, Page, expect

from auditlane.contract.tenants import tenant_subject
from auditlane.contract.wire import frame

FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}


@pytest.fixture
def tenant(site: Site, unique: str) -> str:
    """Provide a tenant with three dead letters, two of which become valid once its contract is corrected."""
    register(site, unique, maximum=3)
    subject = tenant_subject(site.world.settings.topic, unique)
    schema_id = site.world.registry.latest(subject).schema_id
    schema = validating.contract(validating.own("amount", "double", maximum=3))
    for amount in (4.5, 4.75, 99.0):
        out = io.BytesIO()
        values = validating.event(event_id=str(uuid.uuid4()), tenant_id=unique, amount=amount)
        fastavro.schemaless_writer(out, fastavro.parse_schema(schema), values)
        site.world.send(frame(schema_id, out.getvalue()), key=unique)
    wait_until(lambda: len(letters_of(site, unique)) == 3)
    return unique


def register(site: Site, tenant: str, **rules: Any) -> None:
    schema = validating.contract(validating.own("amount", "double", **rules))
    site.world.registry.register(tenant_subject(site.world.settings.topic, tenant), json.dumps(schema))


def letters_of(site: Site, tenant: str, *, resolved: bool = False) -> list[dict[str, Any]]:
    path = f"/v1/admin/dead-letters?limit=200{'&resolved=true' * resolved}"
    answer = site.request(path, site.served.client_token("admin"), auditlane_tenant=tenant).json()
    return answer["newest"] if answer.get("complete") else []


def own_log(site: Site, action: str, tenant: str) -> list[tuple[Any, ...]]:
    """Return what the log of `_auditlane` contains about an operator action on a tenant: actor, outcome and number of
    letters.
    """
    query = (
        "SELECT actor_id, toString(outcome), metadata['rows'], metadata['reason'] FROM "
        f"{site.world.events} WHERE tenant_id = '_auditlane' AND action = {{action:String}} "
        "AND metadata['tenant'] = {tenant:String} ORDER BY occurred_at"
    )
    return list(site.world.client.query(query, {"action": action, "tenant": tenant}).result_rows)


def rows_of(site: Site, tenant: str) -> list[str]:
    query = f"SELECT fields['amount'] FROM {site.world.events} WHERE tenant_id = {{tenant:String}} AND action = 'Login'"
    return sorted(row[0] for row in site.world.client.query(query, {"tenant": tenant}).result_rows)


def open_list(site: Site, page: Page, tenant: str, user: str = "olga") -> None:
    follow(page, site.console_link(user))
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Dead letters").click()
    page.get_by_label("Tenant").fill(tenant)
    page.get_by_role("button", name="Filter").click()


def test_an_operator_replays_and_closes_dead_letters_and_the_log_says_who(
    site: Site, tenant: str, page: Page, node_modules: Path
) -> None:
    open_list(site, page, tenant)
    rows = page.locator("#letters tbody tr")
    expect(rows).to_have_count(3)
    assert violations(page, whole_page=True) == []

    # One letter, opened: its event, error, fix, headers and offsets.
    rows.first.get_by_role("link").first.click()
    content = page.locator("main")
    for shown in ("FIELD_RULE", "at most 3", "Correct the tenant", "99", "__connect.errors.offset", "amount"):
        expect(content).to_contain_text(shown)
    expect(content).to_contain_text("would keep it open")
    expect(page.get_by_role("link", name="all its dead letters")).to_be_visible()
    assert violations(page, whole_page=True) == []

    # Closing requires a reason.
    page.get_by_role("button", name="Close without sending").click()
    expect(page.locator("#letter")).to_be_visible()
    page.get_by_label("Reason").fill("from a load test")
    page.get_by_role("button", name="Close without sending").click()
    expect(page.locator("#result")).to_have_text("1 dead letter was closed.")
    assert violations(page, whole_page=True) == []

    # The other two are replayed under the corrected contract, selected one by one.
    register(site, tenant, maximum=5)
    page.get_by_role("link", name="Back to the dead letters").click()
    page.get_by_label("Tenant").fill(tenant)
    page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(2)
    for box in page.locator("#letters input[name=id]").all():
        box.check()
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#result")).to_have_text("2 events were sent again.")
    wait_until(lambda: rows_of(site, tenant) == ["4.5", "4.75"])

    closed = wait_until(lambda: own_log(site, "dead_letters.closed", tenant))
    assert closed == [("olga", "success", "1", "from a load test")]
    replayed = wait_until(lambda: own_log(site, "events.replayed", tenant))
    assert replayed == [("olga", "success", "2", "")]
    states = sorted((one["state"], one["note"]) for one in letters_of(site, tenant, resolved=True))
    assert states == [("discarded", "from a load test"), ("replayed", ""), ("replayed", "")]


def test_two_operators_who_press_at_the_same_time_send_each_event_once(site: Site, tenant: str) -> None:
    register(site, tenant, maximum=100)
    cookies = []
    for user in ("olga", "otto"):
        entered = site.request(site.console_link(user).removeprefix(site.url), method="POST")
        cookies.append(entered.headers["set-cookie"].partition(";")[0])
    names = [f"{one['topic_id']}:{one['id'].partition(':')[2]}" for one in letters_of(site, tenant)]
    body = "&".join(f"id={name}" for name in names)

    def press(cookie: str) -> str:
        url = f"{site.url}/console/dead-letters/replay"
        answer = urllib3.request("POST", url, body=body, headers=FORM | {"cookie": cookie}, retries=False, timeout=90.0)
        assert answer.status == 200
        return answer.data.decode()

    with ThreadPoolExecutor(4) as pool:
        pages = list(pool.map(press, cookies * 2))
    assert sum("3 events were sent again." in one for one in pages) == 1
    assert sum("0 events were sent again." in one for one in pages) == 3
    assert sum("3 were not open any more" in one for one in pages) == 3
    wait_until(lambda: rows_of(site, tenant) == ["4.5", "4.75", "99"])
    assert letters_of(site, tenant) == []
    [(actor, outcome, rows, _)] = wait_until(lambda: own_log(site, "events.replayed", tenant))
    assert actor in ("olga", "otto")
    assert (outcome, rows) == ("success", "3")


def test_all_letters_of_a_filter_are_closed_without_javascript(site: Site, tenant: str, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, locale="de-DE")
    page = context.new_page()
    follow(page, site.console_link("olga"))
    page.goto(f"{site.url}/console/dead-letters?tenant={tenant}&code=FIELD_RULE")
    expect(page.locator("#letters tbody tr")).to_have_count(3)
    page.get_by_label("Alle offenen").check()
    page.get_by_label("Grund").fill("Testdaten")
    page.get_by_role("button", name="Schließen, ohne zu senden").click()
    expect(page.locator("#result")).to_have_text("3 abgelehnte Nachrichten wurden geschlossen.")
    assert wait_until(lambda: own_log(site, "dead_letters.closed", tenant)) == [("olga", "success", "3", "Testdaten")]
    page.goto(f"{site.url}/console/dead-letters?tenant={tenant}&state=all")
    expect(page.locator("#letters tbody tr").first).to_contain_text("geschlossen: Testdaten")
    page.locator("#letters tbody tr").first.get_by_role("link").first.click()
    expect(page.locator("#letter")).to_contain_text("geschlossen")
    expect(page.get_by_role("button", name="Erneut verarbeiten")).to_have_count(0)
    context.close()


def test_the_pages_fit_a_phone(site: Site, tenant: str, page: Page, node_modules: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    follow(page, site.console_link("olga"))
    page.goto(f"{site.url}/console/dead-letters?tenant={tenant}&lang=de")
    expect(page.locator("#letters tbody tr")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert violations(page, whole_page=True) == []
    page.locator("#letters tbody tr").first.get_by_role("link").first.click()
    expect(page.get_by_role("button", name="Erneut verarbeiten")).to_be_visible()
    preview = page.get_by_text("hexadezimal").bounding_box()
    heading = page.get_by_role("heading", name="Ereignis").bounding_box()
    assert preview is not None
    assert heading is not None
    assert preview["y"] > heading["y"]  # within its section
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert violations(page, whole_page=True) == []
