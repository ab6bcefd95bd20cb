"""Tests each state of the viewer on a vendor's page with real services, and how to leave it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from fixtures.axe import violations
from fixtures.host_page import complaints, give_tokens, host_page
from fixtures.site import Site, follow, wait_for
from fixtures.workers import wait_until
from playwright.sync_api import Locator, Page, Route, expect

from auditlane.access.permissions import Permission

VIEWER = "document.querySelector('auditlane-viewer').viewer"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def open_viewer(site: Site, page: Page, tenant: str, *permissions: Permission, **attributes: str) -> Locator:
    all_attributes = {"token": site.token(tenant, *permissions)} | attributes
    page.goto(host_page(site, tenant, [all_attributes]))
    return page.locator("auditlane-viewer")


def assert_accessible(page: Page, viewer: Locator) -> None:
    page.emulate_media(reduced_motion="reduce")  # colours in mid-transition would fail the contrast check
    for theme in ("light", "dark"):
        viewer.evaluate("(element, theme) => (element.theme = theme)", theme)
        assert violations(page) == [], theme
    viewer.evaluate("(element) => (element.theme = 'auto')")


def assert_data_stays(viewer: Locator, control: str = "Try again") -> None:
    """Assert that the data is still shown, that no request is running, and that exactly one button lets the user
    continue.
    """
    expect(viewer.get_by_role("button", name=control)).to_have_count(1)
    expect(viewer).not_to_contain_text(re.compile("could not be loaded|fetch|Bearer|The detail of"))
    expect(viewer.locator("auditlane-histogram canvas").first).to_be_visible()
    expect(viewer.locator(".grid")).to_have_class(re.compile(r"^grid\s*$"))  # the list's own request has also ended
    assert viewer.locator("auditlane-problem").count() == 0


def event(tenant: str, **values: object) -> dict[str, object]:
    return {"tenant_id": tenant, "action": "login", "actor_id": "u-17", "resource": "session"} | values


def respond_with(status: int, code: str, **headers: str) -> Callable[[Route], None]:
    """Return a route handler that responds with a problem in the service's format."""
    body = {"code": code, "detail": f"The detail of {code}.", "fix": "What helps.", "request_id": f"id-{code}"}
    headers |= {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "retry-after"}
    return lambda route: route.fulfill(
        status=status, headers=headers, content_type="application/problem+json", body=json.dumps(body)
    )


def test_a_skeleton_is_shown_until_the_log_is_loaded(site: Site, unique: str, page: Page) -> None:
    held: list[Route] = []
    page.route("**/v1/session", lambda route: held.append(route))
    page.emulate_media(reduced_motion="reduce")
    viewer = open_viewer(site, page, unique)
    expect(viewer.get_by_role("status")).to_have_text("Loading")
    skeleton = viewer.locator(".skeleton > div").first
    expect(skeleton).to_be_visible()
    assert skeleton.evaluate("(element) => getComputedStyle(element).animationName") == "none"
    page.emulate_media(reduced_motion="no-preference")
    assert skeleton.evaluate("(element) => getComputedStyle(element).animationName") == "breathe"
    assert_accessible(page, viewer)
    held[0].continue_()
    expect(viewer.get_by_role("heading", level=2)).to_contain_text(unique)
    expect(skeleton).to_be_hidden()


def test_first_use_explains_how_to_send_events(site: Site, unique: str, page: Page) -> None:
    messages = complaints(page)
    viewer = open_viewer(site, page, unique)
    first = viewer.get_by_role("region", name="Send your first event")
    expect(first).to_contain_text(f"“{unique}”")
    expect(first.get_by_role("tabpanel", name="Python")).to_contain_text(f'tenant_id="{unique}"')
    first.get_by_role("tab", name="curl").click()
    curl = first.get_by_role("tabpanel", name="curl")
    expect(curl).to_contain_text(f"{site.url}/v1/events")
    expect(curl).to_contain_text(f"Auditlane-Tenant: {unique}")
    assert_accessible(page, viewer)

    first.get_by_role("button", name="Send test event").click()
    expect(first.get_by_role("status")).to_have_text("The test event has arrived.", timeout=30_000)
    expect(first.get_by_role("button", name="Send test event")).to_be_focused()
    expect(viewer.get_by_role("row").filter(has_text="auditlane.test")).to_have_count(1)
    site.emit(event(unique))  # the tenant's first own event removes the instructions
    expect(first).to_be_hidden(timeout=15_000)
    expect(viewer.locator("auditlane-search")).to_be_visible()
    assert messages == []


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_a_reader_gets_no_instructions_for_an_empty_log(site: Site, unique: str, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    viewer = open_viewer(site, page, unique, Permission.read)
    expect(viewer.locator("auditlane-empty")).to_contain_text("No events yet")
    wait_for(page, f"{VIEWER}.unused")
    expect(viewer.get_by_role("region", name="Send your first event")).to_have_count(0)
    expect(viewer).not_to_contain_text(re.compile("pip install|AUDITLANE_|http"))
    assert_accessible(page, viewer)
    expect(viewer.get_by_role("button", name="Settings")).to_have_count(0)
    expect(viewer.get_by_role("button", name="Download")).to_have_count(0)


def test_the_host_page_can_hide_the_instructions(site: Site, unique: str, page: Page) -> None:
    viewer = open_viewer(site, page, unique, **{"hide-first-use": ""})
    wait_for(page, f"{VIEWER}.unused")
    expect(viewer.locator("auditlane-empty")).to_contain_text("No events yet")
    expect(viewer.get_by_role("region", name="Send your first event")).to_have_count(0)
    viewer.evaluate("(element) => (element.hideFirstUse = false)")
    viewer.evaluate("(element) => element.open()")
    expect(viewer.get_by_role("region", name="Send your first event")).to_be_visible()


def test_the_log_of_auditlane_itself_can_be_searched(site: Site, page: Page) -> None:
    follow(page, site.console_link())
    page.goto(f"{site.url}/console/tenants?search=_auditlane")
    wait_until(lambda: page.reload() and page.get_by_role("button", name="View as _auditlane").count())
    page.get_by_role("button", name="View as _auditlane").click()
    expect(page.get_by_text("You are viewing the log of _auditlane")).to_be_visible()
    wait_for(page, f"{VIEWER}.unused === false")
    expect(page.locator("auditlane-search")).to_be_visible()


def test_an_empty_result_offers_ways_to_widen_the_search(site: Site, unique: str, page: Page) -> None:
    site.emit(event(unique))
    viewer = open_viewer(site, page, unique, address="")
    expect(viewer.get_by_role("row").filter(has_text="login")).to_have_count(1)
    page.goto(page.url + "?query=action:nothing.such&range=1h")
    empty = viewer.locator("auditlane-empty")
    expect(empty).to_contain_text("No matching events")
    expect(empty).to_contain_text("action:nothing.such")
    expect(empty).to_contain_text("the last hour")
    assert_accessible(page, viewer)
    empty.get_by_role("button", name="Search all time").click()
    expect(empty.get_by_role("button", name="Search all time")).to_have_count(0)
    empty.get_by_role("button", name="Clear search").click()
    expect(viewer.get_by_role("row").filter(has_text="login")).to_have_count(1)


def test_an_error_shows_its_request_id_and_can_be_retried(site: Site, unique: str, page: Page) -> None:
    page.route("**/v1/session", respond_with(500, "INTERNAL"), times=1)
    viewer = open_viewer(site, page, unique)
    alert = viewer.get_by_role("alert")
    expect(alert).to_contain_text("Something went wrong")
    expect(viewer.locator("auditlane-problem")).to_contain_text("id-INTERNAL")
    assert_accessible(page, viewer)
    viewer.get_by_role("button", name="Try again").click()
    expect(viewer.get_by_role("heading", level=2)).to_contain_text(unique)
    expect(alert).to_have_count(0)


def test_a_rate_limit_counts_down_and_retries(site: Site, unique: str, page: Page) -> None:
    page.clock.install()
    page.route("**/v1/session", respond_with(429, "RATE_LIMITED", **{"Retry-After": "20"}), times=1)
    viewer = open_viewer(site, page, unique)
    expect(viewer.get_by_role("alert")).to_contain_text("Too many requests")
    expect(viewer).to_contain_text(re.compile(r"Retrying in (20|19) seconds"))
    assert_accessible(page, viewer)
    page.clock.fast_forward(10_000)
    expect(viewer).to_contain_text(re.compile(r"Retrying in (\d|1\d) seconds"))
    page.clock.run_for(20_000)
    expect(viewer.get_by_role("heading", level=2)).to_contain_text(unique)


def test_a_missing_permission_is_explained(site: Site, unique: str, page: Page) -> None:
    viewer = open_viewer(site, page, unique, Permission.export)
    expect(viewer.get_by_role("alert")).to_contain_text("You don’t have access")
    expect(viewer.get_by_role("button", name="Try again")).to_have_count(0)
    assert_accessible(page, viewer)


def test_a_disabled_log_is_explained_and_shown_again_when_enabled(site: Site, unique: str, page: Page) -> None:
    token, path = site.token(unique), f"/v1/tenants/{unique}/structure"

    def switch(enabled: bool) -> None:
        shown = site.request(path, token)
        done = site.request(path, token, method="PUT", body={"enabled": enabled}, **{"If-Match": shown.headers["etag"]})
        assert done.status == 200, done.json()

    switch(False)
    viewer = open_viewer(site, page, unique, Permission.read)
    expect(viewer.get_by_role("alert")).to_contain_text("Audit logs are switched off")
    expect(viewer.get_by_role("button", name="Open settings")).to_have_count(0)

    viewer = open_viewer(site, page, unique)
    expect(viewer.get_by_role("alert")).to_contain_text("Audit logs are switched off")
    assert_accessible(page, viewer)
    initial = page.evaluate("[history.length, location.href]")
    viewer.get_by_role("button", name="Open settings").click()
    expect(viewer.locator("auditlane-settings")).to_be_visible()
    expect(viewer.get_by_role("button", name="Back to the log")).to_be_focused()
    switch(True)
    viewer.get_by_role("button", name="Back to the log").click()
    expect(viewer.get_by_role("button", name="Settings")).to_be_focused()
    expect(viewer.get_by_role("button", name="Refresh")).to_be_visible()
    assert (
        page.evaluate("[history.length, location.href]") == initial
    )  # without `address`, the viewer does not touch the page's history


def test_offline_the_data_stays_and_the_viewer_reconnects(site: Site, unique: str, page: Page) -> None:
    site.emit(event(unique))
    viewer = open_viewer(site, page, unique)
    row = viewer.get_by_role("row").filter(has_text="login")
    expect(row).to_have_count(1)
    today = viewer.get_by_role("button", name=re.compile("^Today 1$"))
    expect(today).to_be_visible()
    expect(viewer.locator("auditlane-histogram canvas").first).to_be_visible()
    page.context.set_offline(True)
    viewer.get_by_role("button", name="Refresh").click()
    notices = viewer.locator("auditlane-notices")
    expect(notices.get_by_role("status")).to_contain_text("No connection")
    assert_data_stays(viewer)
    expect(today).to_be_visible()
    expect(row).to_have_count(1)
    assert_accessible(page, viewer)
    site.emit(event(unique, action="logout"))
    page.context.set_offline(False)
    expect(notices).to_be_hidden(timeout=15_000)
    expect(viewer.get_by_role("row").filter(has_text="logout")).to_have_count(1)

    # When the service is unavailable, all failed requests are retried together after its `Retry-After`.
    paths = [f"**/v1/{path}?*" for path in ("events", "stats", "histogram")]
    for path in paths:
        page.route(path, respond_with(503, "STORE_UNAVAILABLE", **{"Retry-After": "2"}))
    viewer.get_by_role("button", name="Refresh").click()
    expect(notices).to_contain_text("The log is temporarily unavailable. What you see may be out of date.")
    expect(notices).to_contain_text(re.compile("Retrying in [12] second"))
    assert_data_stays(viewer)
    site.emit(event(unique, action="signup"))
    for path in paths:
        page.unroute(path)
    expect(notices).to_be_hidden()
    expect(viewer.get_by_role("row").filter(has_text="signup")).to_have_count(1)
    expect(viewer.get_by_role("button", name=re.compile("^Today 3$"))).to_be_visible()
    expect(viewer.locator("auditlane-histogram .headline")).to_contain_text("3 events")


def test_a_page_that_was_open_during_an_upgrade_offers_to_reload(site: Site, unique: str, page: Page) -> None:
    site.emit(event(unique))
    viewer = open_viewer(site, page, unique, Permission.read, Permission.export)
    expect(viewer.get_by_role("row").filter(has_text="login")).to_have_count(1)
    expect(viewer.locator("auditlane-histogram canvas").first).to_be_visible()
    notice = viewer.locator("auditlane-stale-bundle-notice")
    expect(notice).to_be_hidden()
    page.route(
        "**/static/viewer/chunks/**", lambda route: route.fulfill(status=404)
    )  # as if the service had been upgraded
    viewer.get_by_role("button", name="Download", exact=True).click()
    expect(notice.get_by_role("alert")).to_contain_text("could not be loaded")
    assert_accessible(page, viewer)
    page.unroute("**/static/viewer/chunks/**")
    notice.get_by_role("button", name="Reload page").click()
    expect(viewer.get_by_role("row").filter(has_text="login")).to_have_count(1)
    expect(notice).to_be_hidden()
    viewer.get_by_role("button", name="Download", exact=True).click()
    expect(page.get_by_role("dialog", name="Download log")).to_be_visible()


def test_a_part_that_could_not_be_loaded_offline_loads_after_reconnecting(site: Site, unique: str, page: Page) -> None:
    site.emit(event(unique))
    viewer = open_viewer(site, page, unique, Permission.read, Permission.export)
    expect(viewer.get_by_role("row").filter(has_text="login")).to_have_count(1)
    expect(viewer.locator("auditlane-histogram canvas").first).to_be_visible()
    notice = viewer.locator("auditlane-stale-bundle-notice")
    download = viewer.get_by_role("button", name="Download", exact=True)
    dialog = page.get_by_role("dialog", name="Download log")
    page.context.set_offline(True)
    download.click()
    expect(notice.get_by_role("alert")).to_have_text(re.compile(r"^\s*This part .* without a connection"))
    expect(viewer.locator("auditlane-notices").get_by_role("status")).to_contain_text("No connection")
    expect(notice.get_by_role("button")).to_have_count(0)
    page.context.set_offline(False)
    expect(notice).to_be_hidden()
    for _ in range(2):  # Chromium requests the module again only under another URL, which is then kept
        download.click()
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
    expect(notice).to_be_hidden()


def test_an_expired_token_is_renewed_once_and_the_data_stays(site: Site, unique: str, page: Page) -> None:
    site.emit(event(unique))
    ending = site.token_that_ends(unique, seconds=6)
    page.goto(host_page(site, unique, [{"token": ending}]))
    viewer = page.locator("auditlane-viewer")
    row = viewer.get_by_role("row").filter(has_text="login")
    expect(row).to_have_count(1)
    table = viewer.locator("auditlane-table").element_handle()
    row.first.evaluate(
        """(row) => {
          window.missing = 0;
          const look = () => { if (!row.isConnected) window.missing += 1; requestAnimationFrame(look); };
          look();
        }"""
    )
    wait_until(lambda: site.request("/v1/session", ending).status == 401)
    site.emit(event(unique, action="logout"))
    give_tokens(page, site.token(unique))
    viewer.get_by_role("button", name="Refresh").click()  # list, histogram and tiles send requests concurrently
    expect(viewer.get_by_role("row").filter(has_text="logout")).to_have_count(1)
    assert page.evaluate("[window.expired, window.otherEvents]") == [1, ["auditlane-ready"]]
    assert table.evaluate("(table) => table.isConnected")
    assert page.evaluate("window.missing") == 0
    expect(viewer.locator("auditlane-notices")).to_be_hidden()


def test_an_expired_token_that_is_not_renewed_is_reported(site: Site, unique: str, page: Page) -> None:
    site.emit(event(unique))
    page.clock.install()
    ending = site.token_that_ends(unique, seconds=6)
    page.goto(host_page(site, unique, [{"token": ending}]))
    viewer = page.locator("auditlane-viewer")
    row = viewer.get_by_role("row").filter(has_text="login")
    expect(row).to_have_count(1)
    wait_until(lambda: site.request("/v1/session", ending).status == 401)
    refused: list[str] = []
    page.on("response", lambda response: refused.append(response.url) if response.status == 401 else None)
    viewer.get_by_role("button", name="Refresh").click()
    for path in ("/v1/events", "/v1/stats", "/v1/histogram"):  # all wait for the same new token
        wait_until(lambda path=path: page.evaluate("1") and any(path in url for url in refused))
    wait_until(lambda: page.evaluate("window.expired") == 1)
    page.clock.run_for(16_000)
    notices = viewer.locator("auditlane-notices")
    expect(notices).to_contain_text("Your session has expired")
    assert_data_stays(viewer, "Reload page")
    expect(viewer.get_by_role("button", name="Try again")).to_have_count(0)  # would not help
    assert_accessible(page, viewer)
    search = viewer.get_by_role("combobox", name="Search the log")
    search.fill("action:login")
    search.press("Enter")
    ended = viewer.locator("auditlane-table auditlane-problem")
    wait_until(lambda: page.clock.run_for(1_000) or ended.count() == 1)
    expect(ended).to_contain_text("Your session has expired")
    expect(ended.get_by_role("button", name="Reload page")).to_have_count(1)
    expect(viewer.get_by_role("button", name="Try again")).to_have_count(0)
    viewer.evaluate("(element) => (element.signInUrl = 'https://app.example/login')")
    sign_in = ended.get_by_role("link", name="Sign in again")
    expect(sign_in).to_have_attribute("href", f"https://app.example/login?return_to={quote(page.url, safe='')}")
    expect(viewer.get_by_role("link", name="Sign in again")).to_have_count(1)
    assert_accessible(page, viewer)
    viewer.evaluate("(element) => (element.signInUrl = '')")
    expect(viewer).not_to_contain_text(re.compile("Bearer|Send `"))
    expect(viewer.get_by_role("status").filter(has_text="Loading events")).to_have_count(0)
    assert_accessible(page, viewer)
    viewer.evaluate("(element, token) => (element.token = token)", site.token(unique))  # the late token is accepted
    expect(notices).to_be_hidden()
    expect(row).to_have_count(1)


def test_a_token_that_had_expired_at_first_is_renewed(site: Site, unique: str, page: Page) -> None:
    page.clock.install()
    page.goto(host_page(site, unique, [{"token": site.token_that_ends(unique, seconds=-1)}]))
    viewer = page.locator("auditlane-viewer")
    wait_until(lambda: page.evaluate("window.expired") == 1)
    page.clock.run_for(16_000)
    expect(viewer.get_by_role("alert")).to_contain_text("Your session has expired")
    assert_accessible(page, viewer)
    viewer.evaluate("(element, token) => (element.token = token)", site.token(unique))
    expect(viewer.get_by_role("heading", level=2)).to_contain_text(unique)
    expect(viewer.get_by_role("button", name="Refresh")).to_be_visible()


def test_two_tenants_side_by_side_each_see_their_own_log(site: Site, unique: str, page: Page) -> None:
    first, other = f"{unique}-one", f"{unique}-other"
    site.emit(event(first, action="only.one"), event(other, action="only.other"))
    tokens = [site.token(first), site.token(other)]
    page.goto(host_page(site, unique, [{"token": token} for token in tokens]))
    viewers = page.locator("auditlane-viewer")
    for place, (own, foreign) in enumerate((("only.one", "only.other"), ("only.other", "only.one"))):
        expect(viewers.nth(place).get_by_role("row").filter(has_text=own)).to_have_count(1)
        expect(viewers.nth(place)).not_to_contain_text(foreign)
    # An element that receives another tenant's token reloads everything.
    viewers.nth(0).evaluate("(element, token) => (element.token = token)", tokens[1])
    expect(viewers.nth(0).get_by_role("row").filter(has_text="only.other")).to_have_count(1)
    expect(viewers.nth(0)).not_to_contain_text("only.one")


def test_hostile_text_is_not_executed(site: Site, unique: str, page: Page) -> None:
    messages = complaints(page)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    marks = "admin\u202egnp.exe \u2066\u200f 👩🏽‍💻🏴‍☠️"
    site.emit(
        event(
            unique, action=HOSTILE, actor_id=HOSTILE, actor_name=marks, resource=f"javascript:{HOSTILE}",
            description=f"{HOSTILE} {marks}", user_agent=HOSTILE, before=json.dumps({HOSTILE: [HOSTILE] * 3}),
            after=json.dumps({HOSTILE: marks}), metadata={HOSTILE: HOSTILE, "long": "x" * 60_000, marks: marks},
        )
    )  # fmt: skip
    viewer = open_viewer(site, page, unique)
    row = viewer.get_by_role("row").filter(has_text="<script>alert(2)</script>")
    expect(row).to_have_count(1)
    row.click()
    expect(viewer).to_contain_text("x" * 100)
    assert viewer.locator("img, script, iframe, object, embed, a[href^='javascript']").count() == 0
    assert_accessible(page, viewer)
    viewer.get_by_role("button", name="Download").click()
    expect(viewer.get_by_role("dialog", name="Download log")).to_be_visible()
    assert (dialogs, messages) == ([], [])


def test_the_viewer_in_german(site: Site, unique: str, page: Page) -> None:
    site.emit(event(unique))
    viewer = open_viewer(site, page, unique, lang="de")
    expect(viewer.get_by_role("heading", level=2)).to_contain_text("Audit-Log")
    expect(viewer.get_by_role("row").filter(has_text="login")).to_have_count(1)
    expect(viewer.locator("auditlane-histogram .headline")).to_contain_text("Ereignis")
    shown = viewer.aria_snapshot()
    assert "Spalten" in shown
    viewer.get_by_role("button", name="Herunterladen").click()
    expect(viewer.get_by_role("dialog", name="Log herunterladen")).to_contain_text("Ereignis")
    english = (
        r"\b(the|and|of|Search|Download|Settings|Refresh|Filter by|Columns|Time zone|Today|week|events?|All time)\b"
    )
    assert re.findall(english, shown) == []
    dialog = viewer.get_by_role("dialog")
    expect(dialog).to_contain_text("In der Datei: Zeit")
    for note in dialog.locator(".choice").all():
        assert note.evaluate("(one) => one.scrollWidth <= one.clientWidth")
    viewer.evaluate("(element) => (element.lang = 'en')")  # in place, without loading the log again
    expect(viewer.get_by_role("heading", level=2)).to_contain_text("Audit log")
    expect(viewer.get_by_role("dialog", name="Download log")).to_be_visible()


def test_english_is_left_to_right_in_a_right_to_left_page(site: Site, unique: str, page: Page) -> None:
    site.emit(event(unique))
    viewer = open_viewer(site, page, unique, Permission.read, Permission.configure)
    page.evaluate("document.documentElement.dir = 'rtl'")
    heads = viewer.get_by_role("columnheader")
    expect(heads.first).to_have_text("Time")
    lefts = [box["x"] for box in (one.bounding_box() for one in heads.all()) if box]
    assert len(lefts) > 3
    assert lefts == sorted(lefts)
    viewer.get_by_role("button", name="Settings").click()
    root = viewer.locator("auditlane-settings .root")
    expect(root).to_have_css("direction", "ltr")


def test_a_host_page_can_style_the_viewer_and_no_style_leaks(site: Site, unique: str, page: Page) -> None:
    site.emit(event(unique))
    viewer = open_viewer(site, page, unique)
    expect(viewer.get_by_role("row").filter(has_text="login")).to_have_count(1)
    sheets = page.evaluate("document.styleSheets.length + document.adoptedStyleSheets.length")
    assert sheets == 1  # the host page's own
    page.evaluate(
        """() => {
          const sheet = new CSSStyleSheet();
          sheet.replaceSync(`
            auditlane-viewer { --auditlane-ink: rgb(1, 2, 3); }
            auditlane-viewer::part(title) { text-transform: uppercase; }
            auditlane-viewer::part(tile) { border-style: dashed; }
            auditlane-viewer::part(head) { letter-spacing: 3px; }
            auditlane-viewer::part(button) { border-radius: 0px; }
            * { color: red; }`);
          document.adoptedStyleSheets = [sheet];
        }"""
    )

    def style(target: Locator, name: str) -> object:
        return target.evaluate(f"(element) => getComputedStyle(element).{name}")

    assert style(viewer.get_by_role("heading", level=2), "textTransform") == "uppercase"
    assert style(viewer.locator("auditlane-tiles [part~=tile]").first, "borderTopStyle") == "dashed"
    assert style(viewer.locator("auditlane-table [part~=head]"), "letterSpacing") == "3px"
    for name in ("Refresh", "Columns", "Download", "Settings"):
        assert style(viewer.get_by_role("button", name=name, exact=True), "borderTopLeftRadius") == "0px", name
    assert style(viewer.get_by_role("button", name="Refresh"), "color") == "rgb(1, 2, 3)"


@pytest.mark.parametrize("width", [360, 1280])
def test_the_whole_viewer_is_accessible_at_every_width(site: Site, unique: str, page: Page, width: int) -> None:
    site.fill(unique, 60)
    messages = complaints(page)
    page.set_viewport_size({"width": width, "height": 800})
    viewer = open_viewer(site, page, unique)
    expect(viewer.get_by_role("row").nth(5)).to_be_visible()
    assert_accessible(page, viewer)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    viewer.get_by_role("button", name="Download").click()
    expect(viewer.get_by_role("dialog")).to_contain_text("60 events")
    assert_accessible(page, viewer)
    assert messages == []


def test_the_keyboard_alone_searches_opens_filters_and_downloads(site: Site, unique: str, page: Page) -> None:
    site.emit(
        event(unique, action="document.deleted", actor_name="Jane"),
        event(unique, action="document.created", actor_name="Joe"),
        event(unique, action="login", occurred_at=datetime.now(UTC).isoformat()),
    )
    viewer = open_viewer(site, page, unique)
    rows = viewer.get_by_role("row").filter(has_text=re.compile("document|login"))
    expect(rows).to_have_count(3)

    def tab_to(target: Locator, presses: int = 60) -> None:
        for _ in range(presses):
            page.keyboard.press("Tab")
            if target.evaluate("(element) => element.matches(':focus, :focus-within')"):
                return
        pytest.fail(f"{target} cannot be reached with the Tab key")

    tab_to(viewer.get_by_role("combobox").first)
    page.keyboard.type("action:document*")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(2)
    tab_to(viewer.get_by_role("grid"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(viewer.get_by_role("button", name=re.compile("Filter for", re.IGNORECASE)).first).to_be_visible()

    download = viewer.get_by_role("button", name="Download", exact=True)
    for _ in range(80):
        page.keyboard.press("Shift+Tab")
        if download.evaluate("(element) => element.matches(':focus')"):
            break
    page.keyboard.press("Enter")
    dialog = viewer.get_by_role("dialog")
    expect(dialog).to_contain_text("2 events")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")  # JSON Lines
    tab_to(dialog.get_by_role("button", name="Download JSON Lines"))
    with page.expect_download() as begun:
        page.keyboard.press("Enter")
    lines = begun.value.path().read_text().splitlines()
    assert sorted(json.loads(line)["action"] for line in lines) == ["document.created", "document.deleted"]
    expect(dialog).to_contain_text("Saved: 2 events")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(download).to_be_focused()
