"""Tests the plain page: its models of the filter and of events, and the rendered HTML."""

from __future__ import annotations

import re
from typing import Any

import pytest
import urllib3
from querying import TENANT_HEADER, served

from auditlane.access.scope import TenantScope
from auditlane.contract.stored_event import Event
from auditlane.query.filters import Filter
from auditlane.query.reader import Page
from auditlane.runtime.errors import QueryTooLarge, StoreUnavailable
from auditlane.server.pages import page_model, plain_page

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{1234*5678}}"
PLAIN: dict[str, Any] = {
    "event_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "tenant_id": "acme",
    "occurred_at": "2026-01-31T13:45:00.123456Z",
    "action": "login",
    "actor_id": "u-1",
    "actor_type": "user",
    "outcome": "denied",
    "severity": "High",
    "resource": "",
    "source": "",
    "metadata": {},
    "fields": {},
    "ingested_at": "2026-01-31T13:45:01.000000Z",
    "provenance": "gateway",
    "provenance_id": "al_0123",
    "content_hash": "0f" * 16,
} | dict.fromkeys(
    ("actor_name", "on_behalf_of", "resource_id", "description", "ip", "user_agent", "request_id", "before", "after")
)
TEXTS = [
    name
    for name in PLAIN
    if name not in ("event_id", "occurred_at", "ingested_at", "outcome", "severity", "ip", "provenance")
]


def made(**overrides: Any) -> Event:
    return Event.model_validate(PLAIN | overrides)


class FakeStore:
    """Stands in for the store. It returns the given events for every page, or fails."""

    def __init__(self, events: list[Event], error: Exception | None = None) -> None:
        self.events, self.error = events, error

    def page(self, scope: TenantScope, filter_: Filter, *, limit: int, position: Any = None) -> Page:
        if self.error:
            raise self.error
        return Page(self.events, None, None)


def get(store: FakeStore, path: str = "/plain", **headers: str) -> tuple[int, str, Any]:
    with served(store) as url:  # type: ignore[arg-type]
        answer = urllib3.request("GET", url + path, headers={TENANT_HEADER: "acme"} | headers, redirect=False)
    return answer.status, answer.data.decode(), answer.headers


def test_a_filter_becomes_the_form_and_its_chips():
    pairs = [("action", "a&b"), ("metadata.k", "v w"), ("outcome", "denied"), ("outcome", "failure")]
    form = page_model.form_of(pairs)
    assert form.values == {"action": "a&b"}
    assert [chip.text for chip in form.chips] == ["metadata.k: v w", "outcome: denied", "outcome: failure"]
    assert form.chips[0].without == "/plain?action=a%26b&outcome=denied&outcome=failure"
    assert form.hidden == pairs[1:]
    assert page_model.non_empty([("a", ""), ("b", " "), ("c", "0")]) == [("c", "0")]


def test_a_row_shows_json_pretty_printed_and_links_its_custom_fields():
    row = page_model.row_of(
        made(metadata={"region": "eu"}, fields={"total": "1.5"}, before='{"b":1,"a":"é"}', after="{no")
    )
    assert row.level == 3
    assert row.before == '{\n  "b": 1,\n  "a": "é"\n}'
    assert row.after == "{no"
    details = {detail.name: detail for detail in row.details}
    assert details["occurred_at"].value == "2026-01-31T13:45:00.123456Z"
    assert details["metadata.region"].link == "/plain?metadata.region=eu"
    assert details["fields.total"].value == "1.5"


def test_a_deeply_nested_change_is_shown_as_it_is():
    deep = "[" * 100_000
    assert page_model.row_of(made(before=deep)).before == deep


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_text_stays_text(name):
    value: Any = {HOSTILE: HOSTILE} if name in ("metadata", "fields") else HOSTILE
    status, html, headers = get(FakeStore([made(**{name: value})]))
    assert status == 200
    assert "<script" not in html
    assert "<img" not in html
    assert "7006652" not in html  # values are not evaluated as templates
    if name != "tenant_id":
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "script-src 'self'" in headers["Content-Security-Policy"]


def test_nothing_inline_so_that_the_policy_holds():
    html = get(FakeStore([made(before='{"a": 1}', after='{"a": 2}', metadata={"k": "v"})]))[1]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script", html)


def test_hostile_filters_stay_text():
    path = page_model.address([("action", HOSTILE), ("metadata." + HOSTILE, HOSTILE)])
    status, html, _ = get(FakeStore([]), path)
    assert status == 200
    assert "<script" not in html
    assert "No matching events" in html


def test_an_empty_log_explains_how_to_emit_an_event():
    html = get(FakeStore([]))[1]
    assert "auditlane emit --tenant acme" in html
    assert "from auditlane.sdk import AuditClient" in html


def test_the_page_in_german():
    event = made(on_behalf_of="Eva", metadata={"region": "eu"})
    status, html, headers = get(FakeStore([event]), "/plain?lang=de&action=login&ip=10.0.0.1")
    assert status == 200
    assert '<html lang="de">' in html
    assert "Accept-Language" in headers["Vary"]
    for shown in (
        "1 Ereignis auf dieser Seite",
        ">31.01.2026</span> 13:45:00",
        "Verweigert",
        "Hoch",
        "im Namen von Eva",
    ):
        assert shown in html
    assert '<option value="denied">Verweigert</option>' in html
    assert '<input type="hidden" name="lang" value="de">' in html
    links = re.findall(r'href="(/plain[^"]*)"', html)
    assert len(links) >= 5
    assert all("lang=de" in link for link in links)
    exports = re.findall(r'href="(/v1/export[^"]*)"', html)
    assert exports
    assert not [link for link in exports if "lang" in link]
    empty = get(FakeStore([]), **{"Accept-Language": "de"})[1]
    assert "Noch keine Ereignisse" in empty
    assert 'name="lang"' not in empty


def test_a_problem_in_german_with_the_text_of_the_api():
    status, html, _ = get(FakeStore([]), "/plain?from=yesterday", **{"Accept-Language": "de"})
    assert status == 400
    assert "Die Suche ist ungültig" in html
    assert re.search(r'<p lang="en">[^<]*is not a time', html.replace("&#39;", "'"))


def test_the_signed_out_page_explains_how_to_get_a_link():
    status, html, _ = get(FakeStore([]), **{TENANT_HEADER: ""})
    assert status == 401
    assert "Open the log from your application" in html
    assert "<code>" not in html  # no command, since the reader may not be an operator


def test_an_empty_log_shows_commands_only_to_those_who_configure_it():
    assert "auditlane emit --tenant acme" in get(FakeStore([]))[1]
    html = get(FakeStore([]), **{"X-Test-Lacks": "audits:configure"})[1]
    assert "No events yet" in html
    assert "Events appear here as soon as they are sent." in html
    assert "<code>" not in html


def test_the_page_without_the_permission():
    status, html, _ = get(FakeStore([]), **{"X-Test-Lacks": "audits:read"})
    assert status == 403
    assert "lacks the permission audits:read" in html


@pytest.mark.parametrize(
    ("error", "status"),
    [(StoreUnavailable("ClickHouse cannot be reached.", fix="Check."), 503), (QueryTooLarge("Too long."), 400)],
)
def test_a_failing_store_is_reported_on_the_page(error, status):
    answered, html, _ = get(FakeStore([], error), "/plain?action=x")
    assert answered == status
    assert error.message in html
    assert 'value="x"' in html  # the form keeps its values


def test_an_invalid_filter_is_reported_at_its_input():
    status, html, _ = get(FakeStore([]), "/plain?from=yesterday&action=x")
    assert status == 400
    assert "is not a time" in html.replace("&#39;", "'")
    assert re.search(r'id="f-from"[^>]*aria-invalid="true"', html)


def test_a_stale_cursor_leads_to_the_newest():
    status, _, headers = get(FakeStore([]), "/plain?action=x&cursor=made-up")
    assert status == 303
    assert headers["Location"] == "/plain?action=x"


def test_the_style_sheet_can_be_cached():
    status, css, headers = get(FakeStore([]), plain_page.STYLE_PATH)
    assert status == 200
    assert "color-scheme" in css
    assert "immutable" in headers["Cache-Control"]
    assert headers["Content-Type"].startswith("text/css")
