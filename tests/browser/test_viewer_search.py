"""Tests searching a log with real services: the query and its completion, chips, time ranges, the chart, tiles and
values.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from fixtures.axe import violations
from fixtures.site import Site
from fixtures.workers import wait_until
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Route, expect

BERLIN = "Europe/Berlin"
OpenViewer = Callable[..., Page]


def events(tenant: str, now: datetime) -> list[dict[str, object]]:
    """Return ten recent events, and four around 29 March 2026, which has 23 hours in Berlin."""

    def event(action: str, at: datetime, **values: object) -> dict[str, object]:
        return {"tenant_id": tenant, "action": action, "occurred_at": at, "actor_id": "u-1", "resource": "r"} | values

    minutes = [now - timedelta(minutes=5 * number) for number in range(1, 11)]
    around = ["2026-03-28T22:30:00+00:00", "2026-03-28T23:30:00+00:00", "2026-03-29T21:30:00+00:00"]
    return [
        *(event("login", at, actor_name="Jane", outcome="success", ip="10.0.0.7") for at in minutes[:5]),
        *(
            event("login", at, actor_name="Jane", outcome="failure", severity="High", metadata={"region": "eu"})
            for at in minutes[5:8]
        ),
        *(
            event("document.deleted", at, actor_name="Bob", outcome="denied", severity="Critical", resource="document")
            for at in minutes[8:]
        ),
        *(event("imported", datetime.fromisoformat(at)) for at in [*around, "2026-03-29T22:30:00+00:00"]),
    ]


@pytest.fixture(scope="module")
def tenant(site: Site) -> str:
    """Provide a tenant that all tests of this module share, since they only read."""
    name = f"t{uuid.uuid4().hex[:12]}"
    site.emit(*events(name, datetime.now(UTC)))
    return name


@pytest.fixture
def open_viewer(site: Site, tenant: str, browser: Browser) -> Iterator[OpenViewer]:
    """Provide a function that opens the viewer at an address, by default in Berlin time. Script errors and policy
    violations fail the test.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def on_console_message(message: ConsoleMessage) -> None:
        if "Policy" in message.text:
            errors.append(message.text)

    def at(search: str = "", of: str = tenant, **options: object) -> Page:
        context = browser.new_context(**({"timezone_id": BERLIN, "locale": "en-GB"} | options))  # type: ignore[arg-type]
        contexts.append(context)
        site.give_session(context, of)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", on_console_message)
        page.goto(f"{site.url}/{search}")
        expect(page.locator("auditlane-histogram .headline")).to_contain_text("event")
        return page

    yield at
    for context in contexts:
        context.close()
    assert errors == []


def query_box(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search the log")


def address_params(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def expect_count(page: Page, number: int) -> None:
    """Wait until the histogram counts `number` events."""
    noun = "event" if number == 1 else "events"
    expect(page.locator("auditlane-histogram .headline")).to_have_text(re.compile(rf"^{number} {noun}\b"))


def expect_options(page: Page, *texts: str | re.Pattern[str]) -> None:
    for text in texts:
        expect(page.get_by_role("option", name=text).first).to_be_attached()


def test_a_query_is_completed_by_keyboard(open_viewer: OpenViewer) -> None:
    page = open_viewer()
    expect_count(page, 14)
    query_box(page).press_sequentially("outc")
    expect_options(page, "Outcome outcome")
    query_box(page).press("ArrowDown")
    expect(page.locator("#row0")).to_have_attribute("aria-selected", "true")
    expect(query_box(page)).to_have_attribute("aria-activedescendant", "row0")
    query_box(page).press("Enter")
    expect(query_box(page)).to_have_value("outcome:")
    expect_options(page, "Success 5 events", "Failure 3 events", "Denied 2 events")
    assert violations(page, whole_page=True) == []
    query_box(page).press_sequentially("fai")
    expect(page.get_by_role("option", name="Success")).to_have_count(0)
    query_box(page).press("ArrowDown")
    query_box(page).press("Enter")  # a complete term is searched for
    expect_count(page, 3)
    assert address_params(page) == {"query": "outcome:failure"}
    expect(query_box(page)).to_have_value("outcome:failure ")  # ready for the next term
    expect(query_box(page)).to_be_focused()
    expect(query_box(page)).to_have_attribute("aria-expanded", "false")

    # Values are counted under the query's other terms. Metadata keys are suggested as fields.
    query_box(page).press("End")
    query_box(page).press_sequentially("regi")
    expect_options(page, "region metadata.region")
    query_box(page).press("ArrowDown")
    query_box(page).press("Enter")
    expect_options(page, "eu 3 events", "has no value")
    query_box(page).press("Escape")
    expect(query_box(page)).to_have_attribute("aria-expanded", "false")
    query_box(page).press("Escape")
    expect(query_box(page)).to_have_value("outcome:failure metadata.region:")  # closing the list keeps the text

    page.go_back()
    expect_count(page, 14)
    expect(query_box(page)).to_have_value("")

    # A near miss is offered: another case, or a part of a value.
    for near, offered in (("actor:jan", "actor:Jan* 8 events"), ("action:delete*", "action:*delete* 2 events")):
        query_box(page).fill(near)
        query_box(page).press("Enter")
        page.locator("auditlane-empty").get_by_role("button", name=offered).click()
        expect_count(page, int(offered.split()[1]))
    query_box(page).fill("action:LOGIN outcome:success")
    query_box(page).press("Enter")
    page.locator("auditlane-empty").get_by_role("button", name="action:login 5 events").click()
    expect_count(page, 5)
    assert address_params(page) == {"query": "action:login outcome:success"}


def test_days_are_suggested_in_the_readers_zone(open_viewer: OpenViewer) -> None:
    page = open_viewer()
    page.get_by_role("button", name="Columns").click()
    page.locator("auditlane-columns").get_by_role("radio", name="Other").check()
    page.locator("auditlane-columns").get_by_label("Name of the time zone").fill("Pacific/Kiritimati")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    query_box(page).fill("-occurred_at:")
    option = page.get_by_role("option", name="today")
    day = datetime.now(ZoneInfo("Pacific/Kiritimati")).date()
    # The page may have been opened before midnight.
    days = {f"{one:%Y-%m-%d}": one for one in (day - timedelta(days=1), day)}
    expect(option).to_contain_text(re.compile("|".join(days)))
    begins = days[option.inner_text().split()[0]] - timedelta(days=1)
    option.click()
    term = f"-(occurred_at:>={begins}T10:00:00Z occurred_at:<{begins + timedelta(days=1)}T10:00:00Z) "
    expect(query_box(page)).to_have_value(term)
    expect(page.locator("#wrong")).to_have_count(0)


def test_a_click_accepts_the_suggestion_at_which_the_pointer_aimed(open_viewer: OpenViewer) -> None:
    page = open_viewer()
    held: list[Route] = []
    page.route(re.compile("/v1/facets.*field=severity"), lambda route: held.append(route))
    query_box(page).fill("severity:")
    aimed = page.get_by_role("option", name="has any value")
    box = aimed.bounding_box()
    assert box
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + 24, box["y"] + box["height"] / 2)
    wait_until(lambda: page.evaluate("true") and held)  # Playwright calls handlers only within its own calls
    with page.expect_response(re.compile("field=severity")) as answered:
        held[0].continue_()
    answered.value.finished()
    page.unroute_all()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert aimed.bounding_box() == box  # the values that have arrived do not move it
    page.mouse.down()
    page.mouse.up()
    expect(query_box(page)).to_have_value("severity:* ")
    query_box(page).fill("severity:")
    page.mouse.move(5, 5)
    expect_options(page, "Critical 2 events", "has any value *")


def test_a_plain_word_suggests_actions_and_actors(open_viewer: OpenViewer) -> None:
    page = open_viewer()
    query_box(page).press_sequentially("delet")
    expect_options(page, "document.deleted Action 2 events")
    query_box(page).press("Enter")
    expect_count(page, 2)
    assert address_params(page) == {"query": "delet"}
    # The chip and the details say where a word may be, and where it is.
    chips = page.get_by_role("list", name="Active filters").locator(".words")
    expect(chips).to_have_text(["any field contains “delet”"])
    page.locator(".row").first.click()
    details = page.locator("auditlane-details")
    expect(details).to_contain_text("“delet” is in: Action")
    assert page.evaluate("CSS.highlights.get('auditlane-hit').size") >= 2  # below the title, and in the list of fields
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)
    # What several actions contain is offered first, with its count.
    query_box(page).fill("ted")
    expect(page.get_by_role("option").first).to_have_accessible_name(
        re.compile(r"^Action contains ted 2 actions\s+6 events$")
    )
    page.get_by_role("option").first.click()
    expect_count(page, 6)
    expect(chips).to_have_text(["Action contains ted"])
    query_box(page).fill("docu")
    page.get_by_role("option", name="starts with docu Action").click()
    expect(query_box(page)).to_have_value("action:docu* ")
    query_box(page).fill("severity:")
    expect_options(page, "Critical 2 events", "at least … >=", "has any value *")
    query_box(page).fill("occurred_at:")
    expect_options(page, re.compile(r"^\d{4}-\d\d-\d\d today"), "from … >=")
    query_box(page).fill("-action:log")
    expect_options(page, "login 8 events", "starts with log log*")
    page.get_by_role("option", name="starts with log").click()
    expect(query_box(page)).to_have_value("-action:log* ")
    expect(page.get_by_text("Action does not start with log")).to_be_visible()
    expect_count(page, 6)
    page.get_by_role("button", name="Search help").click()
    expect(page.locator("auditlane-help")).to_contain_text("press ? for a list of all keyboard shortcuts")
    expect(page.get_by_role("button", name=re.compile(r"^Search for occurred_at:\d{4}-\d\d-\d\d$"))).to_be_visible()
    assert violations(page, whole_page=True) == []
    page.get_by_role("button", name="Search for severity:>=High").click()
    expect_count(page, 5)
    expect(query_box(page)).to_be_focused()


def test_known_actions_have_labels_and_are_found_by_them(open_viewer: OpenViewer, site: Site, unique: str) -> None:
    now = datetime.now(UTC)
    site.emit(
        *(
            {"tenant_id": unique, "action": action, "occurred_at": now - timedelta(minutes=minute), "actor_id": "u-1"}
            for minute, action in enumerate(["user.login_failed", "user.login", "came.back"], start=1)
        )
    )
    page = open_viewer(of=unique)
    rows = page.locator("auditlane-table").get_by_role("row")
    for label in ("Sign-in failed user.login_failed", "Signed in user.login", "came.back"):
        expect(rows.get_by_role("gridcell", name=label, exact=True)).to_be_visible()

    query_box(page).fill("login failed")
    expect_options(page, "Sign-in failed user.login_failed")
    query_box(page).press("ArrowDown")
    query_box(page).press("Enter")
    expect(query_box(page)).to_have_value("action:user.login_failed ")
    expect_count(page, 1)
    chips = page.get_by_role("list", name="Active filters")
    expect(chips.locator(".words")).to_have_text(["Action is Sign-in failed"])
    expect(chips.get_by_title("action:user.login_failed")).to_be_visible()
    rows.get_by_role("gridcell", name="Sign-in failed user.login_failed").click()
    details = page.locator("auditlane-details")
    expect(details.get_by_role("heading", level=3)).to_contain_text("failed to sign in")
    expect(details.locator("dl").first).to_contain_text(re.compile(r"Action\s+Sign-in failed\s*user\.login_failed"))
    assert violations(page, whole_page=True) == []

    page.goto(urlsplit(page.url)._replace(query="lang=de").geturl())
    box = page.get_by_role("combobox")
    box.fill("anmeld")
    expect_options(page, "Anmeldung user.login 1 Ereignis", "Anmeldung fehlgeschlagen user.login_failed 1 Ereignis")
    box.fill("faktor")  # no such event exists yet
    expect_options(page, "Zweiter Faktor hinzugefügt user.mfa_enrolled", "Zweiter Faktor entfernt user.mfa_removed")
    box.fill("action:entfernt")
    expect_options(page, "Zweiter Faktor entfernt user.mfa_removed")
    page.get_by_role("option", name="Zweiter Faktor entfernt").click()
    expect(box).to_have_value("action:user.mfa_removed ")
    box.fill("")
    page.get_by_role("button", name="Filter", exact=True).click()
    panel = page.locator("auditlane-filter")
    panel.get_by_role("button", name="Aktion", exact=True).click()
    values = panel.get_by_role("list", name="Werte von Aktion")
    expect(values.locator(".value")).to_have_text(
        ["came.back", "Anmeldung user.login", "Anmeldung fehlgeschlagen user.login_failed"]
    )
    assert violations(page, whole_page=True) == []
    values.get_by_role("checkbox", name="Anmeldung user.login 1", exact=True).check()
    assert address_params(page)["query"] == "action:user.login"


def test_a_query_error_is_marked_at_its_position(open_viewer: OpenViewer) -> None:
    page = open_viewer("?query=action:login")
    expect_count(page, 8)
    bad_requests: list[str] = []
    page.on("console", lambda message: bad_requests.append(message.text) if "400" in message.text else None)
    query_box(page).fill("🙂 action:login actr:jane ip:*")
    query_box(page).press("Enter")
    expect(page.locator("auditlane-query mark")).to_have_text("actr:jane")
    alert = page.locator("auditlane-query [role=alert]")
    expect(alert).to_have_text(re.compile(r"At character 16:\s+there is no field “actr”. Did you mean actor\?\s*$"))
    expect(query_box(page)).to_have_attribute("aria-invalid", "true")
    # The mark lies under the same letters in the box: its offset is the width of the text before it.
    place = page.locator("auditlane-query").evaluate(
        """(part) => {
          const [input, mark] = ["input", "mark"].map((name) => part.shadowRoot.querySelector(name));
          const pen = document.createElement("canvas").getContext("2d");
          const style = getComputedStyle(input);
          pen.font = style.font;
          const left = input.getBoundingClientRect().left + parseFloat(style.paddingLeft);
          return [mark.getBoundingClientRect().left - left, pen.measureText("🙂 action:login ").width];
        }"""
    )
    assert place[0] == pytest.approx(place[1], abs=1.5)
    assert address_params(page) == {"query": "action:login"}
    expect_count(page, 8)
    assert violations(page, whole_page=True) == []
    query_box(page).press("End")
    query_box(page).type(")")
    expect(alert).to_have_count(0)
    query_box(page).press("Escape")
    query_box(page).press("Escape")
    expect(query_box(page)).to_have_value("🙂 action:login actr:jane ip:*)")

    assert bad_requests == []  # checking an invalid query logs no error in the browser's console

    # The suggested field is a button. Until it is clicked, the list keeps its query, which another filter changes.
    query_box(page).fill("actr:Jane")
    query_box(page).press("Enter")
    box = page.locator("auditlane-query")
    expect(box).to_contain_text("Not applied. The list shows: action:login")
    page.get_by_role("list", name="Top actors").get_by_role("button", name="Jane").click()
    expect(box).to_contain_text("Not applied. The list shows: action:login actor:Jane")
    expect(query_box(page)).to_have_value("actr:Jane actor:Jane")
    query_box(page).fill("actr:Jane ")
    query_box(page).press("Enter")
    box.get_by_role("button", name="Did you mean actor?").click()
    expect(page).to_have_url(re.compile(r"\?query=actor%3AJane&range=7d$"))
    expect_count(page, 8)

    page.goto(urlsplit(page.url)._replace(query="query=action:(x").geturl())
    expect(page.locator("auditlane-query [role=alert]")).to_contain_text("At character")
    page.goto(urlsplit(page.url)._replace(query="query=actr:x&lang=de").geturl())
    expect(alert).to_have_text(re.compile(r"Bei Zeichen 1:\s+Ein Feld „actr“ gibt es nicht. Meinten Sie actor\?\s*$"))
    table = page.locator("auditlane-table")
    expect(table).to_contain_text("Die Suche ist ungültig")
    expect(table).not_to_contain_text("column")  # only the box refers to the error as its description


def test_a_search_starts_unchecked_when_the_check_is_slow_and_can_be_cancelled(open_viewer: OpenViewer) -> None:
    page = open_viewer()
    held: list[Route] = []
    page.route("**/v1/check?*", lambda route: held.append(route))
    page.route("**/v1/events?*", lambda route: held.append(route))
    query_box(page).fill("actr:x")
    query_box(page).press("Enter")
    table = page.locator("auditlane-table")
    table.get_by_role("button", name="Cancel").click()
    expect(table.get_by_role("button", name="Search again")).to_be_visible()
    assert address_params(page) == {"query": "actr:x"}
    # The late response still marks the error.
    [*_, last] = [one for one in held if "/v1/check" in one.request.url]
    last.continue_()
    expect(page.locator("auditlane-query [role=alert]")).to_contain_text("Did you mean actor?")


def test_typed_text_is_searched_for_with_every_other_choice(open_viewer: OpenViewer) -> None:
    page = open_viewer()
    choice = page.get_by_role("button", name=re.compile("^Time range: "))

    def choose(preset: str) -> None:
        choice.click()
        panel = page.get_by_role("toolbar", name="Common time ranges")
        panel.get_by_role("button", name=preset, exact=True).click()

    query_box(page).fill("outcome:failure")
    choose("Last 7 days")
    expect_count(page, 3)
    assert address_params(page) == {"query": "outcome:failure", "range": "7d"}
    query_box(page).fill("outcome:denied")
    page.locator("h2").click()  # the user continues elsewhere
    expect_count(page, 2)

    # This also holds while the text is still being checked.
    held: list[Route] = []
    page.route("**/v1/check?*", lambda route: held.append(route))
    query_box(page).fill("outcome:success")
    page.get_by_role("list", name="Top actions").get_by_role("button", name="document.deleted").click()
    wait_until(lambda: page.evaluate("1") and len(held) == 1)
    assert address_params(page)["query"] == "outcome:denied"
    held[0].continue_()
    expect_count(page, 0)
    assert address_params(page)["query"] == "outcome:success action:document.deleted"
    page.unroute("**/v1/check?*")

    # Invalid text is reported, and the choice applies to what is shown.
    page.goto(urlsplit(page.url)._replace(query="query=outcome:denied").geturl())
    expect_count(page, 2)
    query_box(page).fill("(outcome:success")
    choose("Last hour")
    expect(page.locator("auditlane-query [role=alert]")).to_contain_text("a closing bracket is missing")
    expect(query_box(page)).to_have_value("(outcome:success")
    expect(page.locator("auditlane-query")).to_contain_text("Not applied. The list shows: outcome:denied")
    expect(page).to_have_url(re.compile("range=1h"))
    assert address_params(page) == {"query": "outcome:denied", "range": "1h"}
    assert violations(page, whole_page=True) == []
    page.go_back()
    expect(query_box(page)).to_have_value("outcome:denied")


def test_chips_describe_and_remove_terms(open_viewer: OpenViewer) -> None:
    page = open_viewer("?query=action:login%20-outcome:success%20severity:%3E%3DLow%20-ip:*")
    expect_count(page, 3)
    chips = page.get_by_role("list", name="Active filters")
    expect(chips.locator(".words")).to_have_text(
        ["Action is login", "Outcome is not Success", "Severity is at least Low", "IP address has no value"]
    )
    chips.get_by_role("button", name="Remove filter: Outcome is not Success").focus()
    page.keyboard.press("Enter")
    assert address_params(page)["query"] == "action:login severity:>=Low -ip:*"
    expect(chips.get_by_role("button", name="Remove filter: Severity is at least Low")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(chips.locator(".words")).to_have_text(["Action is login"])
    expect(chips.get_by_role("button", name="Remove filter: Action is login")).to_be_focused()
    expect_count(page, 8)
    chips.get_by_role("button", name="Clear all").click()
    expect(chips).to_have_count(0)
    expect(query_box(page)).to_be_focused()
    page.go_back()
    expect(chips.locator(".words")).to_have_text(["Action is login"])
    page.goto(urlsplit(page.url)._replace(query="query=outcome:failure%20OR%20outcome:denied").geturl())
    expect(page.get_by_role("list", name="Active filters")).to_contain_text(re.compile(r"Failure\s+or\s+Outcome"))


def test_a_time_range_is_chosen_in_the_displayed_zone(open_viewer: OpenViewer) -> None:
    page = open_viewer()
    choice = page.get_by_role("button", name=re.compile("^Time range: "))
    choice.click()
    presets = page.get_by_role("toolbar", name="Common time ranges")
    presets.get_by_role("button", name="Last 7 days", exact=True).click()
    expect_count(page, 10)
    assert address_params(page) == {"range": "7d"}
    expect(choice).to_have_accessible_name(f"Time range: Last 7 days {BERLIN}")

    choice.click()
    # The presets are one tab stop.
    expect(presets.get_by_role("button", name="Last 7 days", exact=True)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(presets.get_by_role("button", name="Last 30 days", exact=True)).to_be_focused()
    page.keyboard.press("Home")
    expect(presets.get_by_role("button", name="Today", exact=True)).to_be_focused()
    expect(presets.locator("[tabindex='0']")).to_have_count(1)
    panel = page.locator("auditlane-range")
    form = page.get_by_role("form", name="Custom range")
    expect(form.locator("calendar-month").get_by_role("table")).to_be_visible()
    assert violations(page, whole_page=True) == []
    for end in ("From", "To"):
        form.get_by_role("group", name=end).get_by_label("Date").fill("2026-03-29")
    form.get_by_role("button", name="Apply").click()
    expect(form).to_have_count(0)
    expect_count(page, 2)
    assert address_params(page) == {"from": "2026-03-28T23:00:00Z", "to": "2026-03-29T22:00:00Z"}
    expect(choice).to_have_accessible_name(f"Time range: 29 Mar 2026 {BERLIN}")
    expect_options(page, "29 Mar 2026, 01:45–03:00: 0 events")  # fifteen minutes: the clocks skip an hour

    choice.click()
    panel.get_by_role("radio", name="Other").check()
    other = panel.get_by_role("combobox", name="Name of the time zone")
    expect(other).to_be_focused()
    other.fill("Mars")
    other.press("Enter")
    expect(panel.get_by_role("alert")).to_contain_text("There is no time zone “Mars”.")
    assert violations(page, whole_page=True) == []
    other.fill("asia/kathmandu")
    other.press("Enter")
    expect(choice).to_have_accessible_name(re.compile("29 Mar 2026, 04:45 – 30 Mar 2026, 03:45 Asia/Kath?mandu$"))
    expect(page.locator("auditlane-table time").first).to_have_text(re.compile(r"^30 Mar, 03:15:00"))
    expect_options(page, re.compile(r"^30 Mar 2026, 03:15"))
    assert address_params(page).get("tz") in ("Asia/Kathmandu", "Asia/Katmandu")
    panel.get_by_role("radio", name="UTC").check()
    expect(form.get_by_role("group", name="From").get_by_label("Time")).to_have_value("23:00")
    expect(choice).to_have_accessible_name(re.compile("28 Mar 2026, 23:00.*UTC$"))
    form.get_by_role("group", name="To").get_by_label("Date").fill("2026-03-27")
    form.get_by_role("button", name="Apply").click()
    expect(form.get_by_role("alert")).to_have_text("The end is before the start.")
    form.get_by_role("group", name="To").get_by_label("Date").fill("2026-03-28")
    form.get_by_role("group", name="To").get_by_label("Time").fill("23:00:00")
    form.get_by_role("button", name="Apply").click()
    expect(form.get_by_role("alert")).to_have_text("Start and end are the same.")
    # The first click shows a day, and the second one extends it.
    form.locator("calendar-month").get_by_role("button", name=re.compile("28")).click()
    expect(choice).to_have_accessible_name("Time range: 28 Mar 2026 UTC")
    expect_count(page, 2)
    expect(form.get_by_role("status")).to_have_text("28 Mar 2026 is shown. Choose a second day to extend it.")
    form.get_by_role("button", name="Done").click()
    expect(form).to_have_count(0)
    choice.click()
    day = form.locator("calendar-month").get_by_role("button", name=re.compile("28"))
    expect(day).to_be_focused()
    expect(form.locator("[slot=heading]")).to_have_text("March 2026")
    # The panel follows its button when something above it changes its height.
    below = """(range) => {
      const boxOf = (part) => range.shadowRoot.querySelector("auditlane-dropdown").shadowRoot.querySelector(part);
      return boxOf("[popover]").getBoundingClientRect().top - boxOf("button").getBoundingClientRect().bottom;
    }"""
    before = panel.bounding_box()
    page.get_by_role("button", name="Hide summary").evaluate("(button) => button.click()")  # keeps the panel open
    wait_until(lambda: before and (panel.bounding_box() or before)["y"] < before["y"] - 20)
    wait_until(lambda: abs(panel.evaluate(below) - 4) < 1)
    page.get_by_role("button", name="Show summary").evaluate("(button) => button.click()")
    day.click()  # a range can begin on the same day
    form.locator("calendar-month").get_by_role("button", name=re.compile("29")).click()
    expect_count(page, 4)
    for end, day in (("From", "2026-03-28"), ("To", "2026-03-29")):
        expect(form.get_by_role("group", name=end).get_by_label("Date")).to_have_value(day)
    page.keyboard.press("Escape")
    expect(choice).to_be_focused()
    for _ in range(3):
        page.go_back()
    expect(choice).to_have_accessible_name("Time range: Last 7 days UTC")
    choice.click()
    presets.get_by_role("button", name="Yesterday", exact=True).click()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert address_params(page) == {
        "from": f"{yesterday}T00:00:00Z",
        "to": f"{yesterday + timedelta(days=1)}T00:00:00Z",
        "tz": "UTC",
    }

    # For all time, the calendar opens at the newest event. An invalid time in a link is reported until one is chosen.
    page.goto(urlsplit(page.url)._replace(query="query=action:imported&from=garbage").geturl())
    unread = page.get_by_text("The time range in this link is invalid (from=garbage).")
    expect(unread).to_be_visible()
    expect_count(page, 4)
    choice.click()
    expect(form.locator("calendar-range").get_by_role("group", name="March 2026")).to_be_visible()
    for end in form.locator("input").all():  # no input's text is truncated
        wide, needed = end.evaluate(
            """(input) => {
              const copy = input.cloneNode();
              Object.assign(copy.style, { position: "absolute", flex: "none", width: "max-content" });
              input.after(copy);
              const needed = copy.offsetWidth;
              copy.remove();
              return [input.offsetWidth, needed];
            }"""
        )
        assert wide >= needed > 50
    assert violations(page, whole_page=True) == []
    panel.get_by_role("button", name="All time", exact=True).click()
    expect(unread).to_have_count(0)


def test_for_all_time_the_calendar_opens_at_the_newest_event(open_viewer: OpenViewer, site: Site, unique: str) -> None:
    site.emit({"tenant_id": unique, "action": "imported", "actor_id": "u-1", "occurred_at": "2023-07-10T12:00:00Z"})
    accepted = site.request("/v1/test-event", site.token(unique), method="POST")  # newer, but auditlane's own event
    assert accepted.status == 202
    wait_until(lambda: site.stored(unique) == 3)  # the test event and its audit record
    page = open_viewer(of=unique)
    page.get_by_role("button", name=re.compile("^Time range: ")).click()
    expect(page.locator("calendar-range").get_by_role("group", name="July 2023")).to_be_visible()


def test_bars_of_the_chart_select_a_time_range(open_viewer: OpenViewer) -> None:
    day = {"from": "2026-03-29T00:00:00Z", "to": "2026-03-30T00:00:00Z"}
    page = open_viewer(f"?from={day['from']}&to={day['to']}", timezone_id="UTC")
    expect_count(page, 2)
    keys = page.get_by_role("listbox", name="Events over time")
    expect(keys).to_have_accessible_name(re.compile(r"2 events, 15 minutes per bar, peak of 1: 29 Mar 2026, 21:30"))
    area = page.locator("auditlane-histogram .u-over")
    expect(area).to_be_visible()
    lowest = """(area) => {
      const plot = area.closest(".plot"), canvas = plot.querySelector("canvas"), pen = canvas.getContext("2d");
      const size = canvas.height / canvas.clientHeight, rows = Math.round(9 * size);
      const labels = pen.getImageData(0, canvas.height - rows, canvas.width, rows).data.some(Boolean);
      return [labels, plot.getBoundingClientRect().bottom - canvas.getBoundingClientRect().bottom];
    }"""
    wait_until(lambda: area.evaluate(lowest) == [True, 0])  # there are dates below the bars, and they are not cut off
    area.hover()
    expect(page.locator("auditlane-histogram .read")).to_contain_text("29 Mar 2026, 1")
    keys.focus()  # with the pointer still over the chart
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(keys).to_have_attribute("aria-activedescendant", "bar1")
    expect(page.locator("auditlane-histogram .read")).to_have_text("29 Mar 2026, 00:15–00:30: 0 events")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("auditlane-histogram [aria-selected=true]")).to_have_count(3)
    assert violations(page, whole_page=True) == []
    page.keyboard.press("Enter")
    expect_count(page, 0)
    assert address_params(page) == {"from": "2026-03-29T00:15:00Z", "to": "2026-03-29T01:00:00Z"}
    page.go_back()
    expect_count(page, 2)

    at = area.bounding_box()
    assert at
    hour = at["width"] / 24
    page.mouse.move(at["x"] + 20.1 * hour, at["y"] + 20)
    page.mouse.down()
    page.mouse.move(at["x"] + 21 * hour, at["y"] + 25, steps=3)
    page.mouse.move(at["x"] + 21.9 * hour, at["y"] + 25, steps=3)
    page.mouse.up()
    expect_count(page, 1)
    assert address_params(page) == {"from": "2026-03-29T20:00:00Z", "to": "2026-03-29T22:00:00Z"}
    page.mouse.click(at["x"] + at["width"] * 0.76, at["y"] + 20)
    expect(page).to_have_url(re.compile("from=2026-03-29T21%3A30%3A00Z&to=2026-03-29T21%3A35%3A00Z"))
    expect(page.locator("auditlane-histogram .headline")).to_have_text(re.compile("^1 event, .* second"))
    expect(page.locator("auditlane-histogram .read")).to_be_empty()  # the pointer is over none of the clicked bar's
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + 20)
    expect(page.locator("auditlane-histogram .read")).to_contain_text("21:32")

    colour = """(place) => {
      const canvas = place.shadowRoot.querySelector("canvas"), pen = canvas.getContext("2d");
      const seen = pen.getImageData(0, 0, canvas.width, canvas.height).data;
      const at = 4 * (canvas.width * Math.round(canvas.height / 2) + Math.round(canvas.width / 2));
      for (let place = 0; place < seen.length; place += 4)
      {
        const [red, green, blue, alpha] = seen.slice(place, place + 4);
        if (alpha === 255 && blue - red > 100) return [red, green, blue];
      }
      return null;
    }"""
    part = page.locator("auditlane-histogram")
    assert part.evaluate(colour) == [31, 95, 208]
    page.emulate_media(color_scheme="dark")
    wait_until(lambda: part.evaluate(colour) == [127, 176, 255])
    page.get_by_role("button", name="Hide chart").click()
    expect(area).to_have_count(0)
    page.get_by_role("button", name="Show chart").click()
    expect(area).to_be_visible()


def test_the_last_bar_is_marked_as_unfinished(open_viewer: OpenViewer) -> None:
    page = open_viewer("?range=24h")
    expect_count(page, 10)
    expect(page.get_by_role("option", name=re.compile(r"\(so far\)$"))).to_have_count(1)
    expect(page.get_by_role("option").last).to_have_accessible_name(re.compile(r"so far"))
    # For some weeks, each bar is a day.
    page.goto(urlsplit(page.url)._replace(query="range=30d").geturl())
    expect(page.locator("auditlane-histogram .headline")).to_have_text("10 events, 1 day per bar")
    keys = page.get_by_role("listbox", name="Events over time")
    keys.press("End")
    keys.press("Enter")
    expect(page).to_have_url(re.compile("from="))
    begin, end = (
        datetime.fromisoformat(address_params(page)[name]).astimezone(ZoneInfo(BERLIN)) for name in ("from", "to")
    )
    assert (begin.hour, end - begin) == (0, timedelta(days=1))


def test_tiles_lead_to_exactly_the_events_that_they_count(open_viewer: OpenViewer) -> None:
    page = open_viewer()
    tiles = page.locator("auditlane-tiles")

    def follow(button: Locator) -> dict[str, str]:
        """Click a tile or one of its lines, expect as many events as it counts, and return the parameters of the
        address.
        """
        number = button.locator(".number, .count")
        expect(number).to_have_text(re.compile(r"^\d+$"))
        shown = int(number.inner_text())
        button.click()
        expect_count(page, shown)
        return address_params(page)

    # For all time, the figures cover seven days, and each choice shows that period.
    midnight = datetime.now(ZoneInfo(BERLIN)).replace(hour=0, minute=0, second=0, microsecond=0)
    today = page.get_by_role("button", name=re.compile(r"^Today"))
    week = page.get_by_role("button", name=re.compile(r"^Last 7 days\s+10"))
    assert follow(today) == {"from": midnight.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    page.go_back()
    assert follow(week) == {"range": "7d"}
    page.go_back()
    expect(page.get_by_role("list", name="Top actions, last 7 days", exact=True)).to_be_visible()
    assert follow(page.get_by_role("list", name="Top actors, last 7 days").get_by_role("button", name="Jane")) == {
        "query": "actor:Jane",
        "range": "7d",
    }
    page.go_back()
    assert follow(page.get_by_role("button", name=re.compile(r"^Severe, last 7 days\s+5"))) == {
        "query": "severity:>=High",
        "range": "7d",
    }
    height = (tiles.bounding_box() or {})["height"]
    follow(page.get_by_role("list", name="Top actions").get_by_role("button", name="document.deleted"))
    expect(page.get_by_role("list", name="Top actions").get_by_role("button")).to_have_count(1)
    assert (tiles.bounding_box() or {})["height"] == height  # the search below stays in place
    assert address_params(page)["query"] == "severity:>=High action:document.deleted"
    expect(page.get_by_role("list", name="Top actors").get_by_role("button")).to_have_text([re.compile("Bob")])

    # With a chosen time, they cover that time. An id also finds the events that have a name.
    page.goto(urlsplit(page.url)._replace(query="from=2026-03-28T23:00:00Z&to=2026-03-29T22:00:00Z").geturl())
    expect_count(page, 2)
    expect(page.get_by_role("button", name=re.compile(r"^Events in this period\s+2"))).to_be_visible()
    expect(page.get_by_role("button", name=re.compile(r"^Severe\s+0"))).to_be_visible()
    expect(today).to_have_count(0)
    assert follow(page.get_by_role("list", name="Top actions").get_by_role("button", name="imported"))["from"]
    page.goto(urlsplit(page.url)._replace(query="from=2026-03-01T00:00:00Z").geturl())
    expect_count(page, 14)
    assert follow(page.get_by_role("list", name="Top actors").get_by_role("button", name="u-1"))["query"] == "actor:u-1"
    expect_count(page, 14)

    page.get_by_role("button", name="Hide summary").click()
    expect(tiles.locator(".tile")).to_have_count(0)
    page.goto(urlsplit(page.url)._replace(query="").geturl())
    expect_count(page, 14)
    expect(tiles.locator(".tile")).to_have_count(0)  # remembered
    assert violations(page, whole_page=True) == []
    page.get_by_role("button", name="Show summary").click()
    expect(week).to_be_visible()
    page.route("**/v1/stats*", lambda route: route.fulfill(status=503, json={"code": "X", "detail": "Away."}))
    page.get_by_role("button", name="Refresh").click()
    notices = page.locator("auditlane-notices")
    expect(notices).to_contain_text("The log is temporarily unavailable. What you see may be out of date.")
    expect(today).to_be_visible()  # unchanged
    query_box(page).fill("action:imported")
    query_box(page).press("Enter")
    expect(tiles).to_contain_text("The summary could not be loaded.")
    expect_count(page, 4)
    page.unroute("**/v1/stats*")
    notices.get_by_role("button", name="Try again").click()
    expect(notices).to_be_hidden()
    expect(page.get_by_role("button", name=re.compile(r"^Today\s+0"))).to_be_visible()


def test_enter_in_the_filter_menu_waits_for_the_values_to_load(open_viewer: OpenViewer) -> None:
    page = open_viewer()
    held: list[Route] = []
    page.route("**/chunks/value-matches-*.js", lambda route: held.append(route))
    page.get_by_role("button", name="Filter", exact=True).click()
    find = page.locator("auditlane-filter").get_by_label("Find a field or value")
    find.fill("deni")
    find.press("Enter")
    wait_until(lambda: page.evaluate("1") and held)
    held[0].continue_()
    expect(page.get_by_role("list", name="Active filters").locator(".words")).to_have_text(["Outcome is Denied"])


def test_values_are_picked_from_the_filter_menu(open_viewer: OpenViewer) -> None:
    page = open_viewer()
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_role("dialog", name="Filter by field")).to_be_visible()
    panel = page.locator("auditlane-filter")
    expect(panel.get_by_label("Find a field")).to_be_focused()
    expect(panel.get_by_role("list", name="Metadata").get_by_role("button")).to_have_text(["region"])
    panel.get_by_label("Find a field").fill("outc")
    panel.get_by_role("button", name="Outcome").click()
    expect(panel.get_by_role("button", name="All fields")).to_be_focused()
    values = panel.get_by_role("list", name="Values of Outcome")
    expect(values.locator(".value")).to_have_text(["Success", "Unknown", "Failure", "Denied"])
    expect(values.locator(".count")).to_have_text(["5", "4", "3", "2"])
    assert violations(page, whole_page=True) == []
    values.get_by_role("checkbox", name=re.compile("Failure")).check()
    expect_count(page, 3)
    values.get_by_role("checkbox", name=re.compile("Denied")).check()
    expect_count(page, 5)
    assert address_params(page) == {"query": "(outcome:failure OR outcome:denied)"}
    expect(values.locator(".value")).to_have_count(4)  # the others can still be picked
    values.get_by_role("button", name="Exclude Success").click()
    values.get_by_role("checkbox", name=re.compile("Failure")).uncheck()
    assert address_params(page)["query"] == "outcome:denied -outcome:success"
    panel.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    chips = page.get_by_role("list", name="Active filters")
    expect(chips.locator(".words")).to_have_text(["Outcome is Denied", "Outcome is not Success"])
    chips.get_by_role("button", name="Clear all").click()
    page.locator("h2").click()

    # A value is found by its name, and filters by it with Enter. The panel stays open for the next one.
    page.keyboard.press("f")
    find = panel.get_by_label("Find a field or value")
    expect(find).to_be_focused()
    find.fill("nothing like it")
    expect(panel.get_by_text("No matching fields or values")).to_be_visible()
    find.fill("deni")
    found = panel.get_by_role("list", name="Values", exact=True).get_by_role("button")
    expect(found).to_have_text([re.compile(r"^\s*Outcome: Denied\s*2\s*$")])
    assert violations(page, whole_page=True) == []
    find.press("Enter")
    expect(panel.get_by_role("status").filter(has_text="Filter added: Outcome: Denied")).to_be_visible()
    expect(find).to_have_value("")
    expect(find).to_be_focused()
    expect_count(page, 2)
    find.fill("acti")
    find.press("Enter")
    within = panel.get_by_role("searchbox", name="Search values of Action")
    expect(within).to_be_focused()
    within.fill("del")
    values = panel.get_by_role("list", name="Values of Action")
    values.get_by_role("checkbox", name=re.compile("document.deleted")).check()
    expect(chips.locator(".words")).to_have_text(["Outcome is Denied", "Action is document.deleted"])
    page.goto(urlsplit(page.url)._replace(query="").geturl())
    page.get_by_role("button", name="Filter", exact=True).click()
    find.fill("te")
    expect(found.first).to_have_text(re.compile(r"^\s*Action contains te\s*6\s*$"))
    found.first.click()
    expect_count(page, 6)
    panel.get_by_role("button", name="Action", exact=True).click()
    within.fill("te")
    panel.get_by_role("button", name="All values that contain “te” 6").click()
    assert address_params(page) == {"query": "action:*te*"}  # not added twice


def test_superseded_requests_are_cancelled(open_viewer: OpenViewer) -> None:
    page = open_viewer()
    expect_count(page, 14)
    cancelled: list[str] = []
    page.on("requestfailed", lambda request: cancelled.append(request.url))
    held: list[Route] = []
    page.route(re.compile(r"/v1/(histogram|facets)\?.*failure"), lambda route: held.append(route))
    page.evaluate("document.querySelector('auditlane-viewer').viewer.setView({ query: 'outcome:failure' })")
    wait_until(lambda: page.evaluate("1") and len(held) >= 1)
    page.evaluate("document.querySelector('auditlane-viewer').viewer.setView({ query: 'outcome:denied' })")
    expect_count(page, 2)
    wait_until(lambda: page.evaluate("1") and any("/v1/histogram" in url and "failure" in url for url in cancelled))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_search_is_accessible_in_both_schemes_and_in_german(open_viewer: OpenViewer, scheme: str) -> None:
    page = open_viewer("?query=action:login%20-outcome:denied&range=7d", color_scheme=scheme)
    expect_count(page, 8)
    page.get_by_role("button", name=re.compile("^Time range: ")).click()
    expect(page.locator("calendar-month").get_by_role("table")).to_be_visible()
    assert violations(page, whole_page=True) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Filter", exact=True).click()
    page.locator("auditlane-filter").get_by_role("button", name="Severity").click()
    expect(page.get_by_role("list", name="Values of Severity")).to_be_visible()
    assert violations(page, whole_page=True) == []
    page.keyboard.press("Escape")
    query_box(page).press("End")
    query_box(page).press_sequentially(" act")
    expect_options(page, "Actor (name or ID) actor")
    expect(page.get_by_role("option", name="Actor actor_name")).to_have_count(0)
    assert violations(page, whole_page=True) == []
    page.evaluate("document.querySelector('auditlane-viewer').lang = 'de'")
    expect(page.get_by_role("list", name="Aktive Filter")).to_contain_text("Ergebnis ist nicht Verweigert")
    expect(page.locator("auditlane-histogram .headline")).to_have_text("8 Ereignisse, 3 Stunden pro Balken")
