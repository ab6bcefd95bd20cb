"""Tests the operators' console: access, its sections, and opening a tenant's log."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

import jwt
import pytest
from serving import Served

from auditlane.access.audit import AuditRecord, RequestAuditor
from auditlane.observe.history import COLUMNS, Columns
from auditlane.observe.timeline import OperationalEvent
from auditlane.runtime.errors import KafkaUnavailable, StoreUnavailable
from auditlane.server.admin.localized import LocalizedText, counted
from auditlane.server.admin.models import DeadLetters, Health, Lag, Rate, Tenant
from auditlane.server.admin.operations import Operations
from auditlane.server.admin.sources import Source
from auditlane.server.admin.tenants import TenantOrder, TenantPage
from auditlane.server.pages.console import frame, operation, page_model
from auditlane.server.pages.i18n import catalogues

EN, DE = (catalogues()[one] for one in ("en", "de"))
HOSTILE = "<script>alert(1)</script>\"'"
TIME = "2026-01-31T13:45:00.123456Z"
COUNT = {"code": "FIELD_RULE", "tenant": HOSTILE, "state": "open", "count": 1_234}
LETTER = {
    "id": "audit.events:3:7",
    "topic_id": "x",
    "state": "open",
    "note": "",
    "tenant": None,
    "code": "NOT_FRAMED",
    "reason": f"It lacks the frame. {HOSTILE}",
    "schema_id": None,
    "received_at": TIME,
    "published_at": TIME,
    "position": "0:1",
}
PARTITION = {
    "topic": "audit.events",
    "partition": 3,
    "committed": None,
    "end": 5_000,
    "lag": 5_000,
    "lost": 7,
    "age_s": 90.0,
    "member": "",
    "abandoned": True,
}


class Section:
    """Stands in for the components that a section reads. It fails while it is `away`."""

    def __init__(self) -> None:
        self.away = False
        self.requests: list[tuple[str, TenantOrder, int]] = []
        self.charted_periods: list[timedelta] = []

    async def health(self) -> Health:
        parts = [
            {"name": "kafka", "state": "away", "problem": HOSTILE},
            {
                "name": "registry",
                "state": "up",
                "detail": LocalizedText(counted("%(count)s subject", "%(count)s subjects", 3)),
            },
        ]
        conflicts = {"hours": 24, "ids": 1_007, "tenants": 2}
        return Health.model_validate({"healthy": False, "parts": parts, "conflicts": conflicts})

    async def rate(self) -> Rate:
        return Rate(seconds=60.0, events=4_321, events_per_second=4_321 / 60)

    async def lag(self) -> Lag:
        if self.away:
            raise KafkaUnavailable("The brokers did not answer.")
        sums = {"group": "g", "lag": 5_000, "age_s": 90.0, "abandoned": 1, "lost": 7}
        return Lag.model_validate(sums | {"partitions": [PARTITION]})

    async def dead_letters(self, selection: Any, newest: int) -> DeadLetters:
        counts = [COUNT | {"first_received_at": TIME, "last_received_at": TIME}]
        sums = {"complete": False, "read": 10, "records": 20, "count": 1_234, "unrecognized_records": 0}
        return DeadLetters.model_validate(sums | {"counts": counts, "newest": [LETTER]})

    async def find_tenants(self, search: str, order: TenantOrder, page: int) -> TenantPage:
        self.requests.append((search, order, page))
        row = {"events": 1_000_000, "last_event": TIME, "last_stored": TIME}
        data = [{"tenant": "acme", "enabled": True} | row, {"tenant": "globex", "enabled": False} | row]
        return TenantPage([Tenant.model_validate(one) for one in data], 102, page, 3)

    async def sources(self) -> list[Source]:
        if self.away:
            raise StoreUnavailable("ClickHouse did not answer.")
        at = datetime.fromisoformat(TIME)
        return [
            Source("gateway", "al_1", HOSTILE, 1_234, 3, at),
            Source("kafka", "audit.events", "", 7, 1, at),
        ]

    async def charted(self, period: timedelta) -> Columns:
        self.charted_periods.append(period)
        if self.away:
            raise StoreUnavailable("ClickHouse did not answer.")
        now = datetime.now(UTC)
        return Columns(
            1_800, [now - timedelta(hours=2), now - timedelta(hours=1)], {name: [3.0, 4.0] for name in COLUMNS}
        )

    async def newest_events(self) -> list[OperationalEvent]:
        if self.away:
            raise StoreUnavailable("ClickHouse did not answer.")
        at, metadata = datetime.fromisoformat(TIME), {"seconds": "75", "events": "9"}
        return [OperationalEvent(at, "lag.detected", "failure", "High", "x", HOSTILE, None, metadata, "id", None)]

    def close(self) -> None: ...


class RecordingSink:
    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def record(self, record: AuditRecord) -> None:
        self.records.append(record)


@pytest.fixture
def operations(monkeypatch) -> Section:
    operations = Section()
    monkeypatch.setattr("auditlane.server.services.Operations", lambda *_: operations)
    return operations


@pytest.fixture
def kept(monkeypatch) -> list[AuditRecord]:
    kept = RecordingSink()
    monkeypatch.setattr(
        "auditlane.server.middleware.request.RequestAuditor", lambda _, **given: RequestAuditor(kept, **given)
    )
    return kept.records


@pytest.fixture
def served(tmp_path, operations, kept) -> Iterator[Served]:
    with Served(tmp_path) as served:
        yield served


def entered(served: Served, **more: Any) -> str:
    body = {"user": "ops"} | more
    answer = served.request("/v1/admin/console-links", served.client_token("admin"), method="POST", body=body)
    assert answer.status == 200, answer.data
    opened = served.request(answer.json()["link"].removeprefix(served.url), method="POST")
    assert (opened.status, opened.headers["location"]) == (303, "/console")
    cookie = SimpleCookie(opened.headers["set-cookie"])["auditlane_console"]
    assert cookie["httponly"]
    assert cookie["path"] == "/console"
    return f"auditlane_console={cookie.value}"


def post(served: Served, cookie: str, form: str, site: str = "same-origin") -> Any:
    headers = {"cookie": cookie, "sec-fetch-site": site, "content-type": "application/x-www-form-urlencoded"}
    return served._pool.request("POST", f"{served.url}/console/view", body=form, headers=headers, redirect=False)


def test_the_board_shows_rates_lag_and_lost_offsets(served):
    answer = served.request("/console", cookie=entered(served))
    assert answer.status == 200, answer.data
    html = answer.data.decode()
    for shown in (
        "72.0</strong> events per second",
        "4,321",
        "5,000",
        "2 min",
        "7 were deleted before they were read.",
        ">none</td>",
        "1,234",
    ):
        assert shown in html
    assert "10 of 20 records read" in html
    sections = re.findall(r'<section id="([\w-]+)"', html)
    assert sections == ["problems", "overview", "history", "timeline", "rate", "lag", "dead-letters", "parts"]
    short = html[html.index('id="overview"') : html.index('id="history"')]
    for shown in (
        ">kafka</strong> unhealthy",
        ">72.0</strong> events",
        ">5,000</strong> messages behind",
        ">1,234</strong> dead letters",
    ):
        assert shown in short
    assert "NOT_FRAMED" in html
    assert "2026-01-31 13:45:00" in html
    assert "&lt;script&gt;" in html
    # Dead letters lead to their tenant and to their page.
    assert 'href="/console/dead-letters/letter?id=x%3A3%3A7"' in html
    assert "/console/dead-letters?code=FIELD_RULE&amp;tenant=" in html
    assert "/console/tenants?search=%3Cscript" in html


def test_problems_come_first_and_each_names_what_helps(served):
    html = served.request("/console", cookie=entered(served)).data.decode()
    problems = html[html.index('id="problems"') : html.index('id="overview"')]
    assert problems.count("<li") == problems.count('class="help"') == 5
    for shown in (
        "auditlane doctor",
        "auditlane accept-loss audit.events 3",
        "auditlane verify",
        "auditlane dlq stats",
    ):
        assert shown in problems
    assert problems.index('class="serious"') < problems.index('class="warning"')
    assert "1,234 dead letters are open." in problems
    lag = html[html.index('<section id="lag"') : html.index('<section id="dead-letters"')]
    assert "What to do" in lag
    assert "7 messages were deleted before they were read. <code>auditlane accept-loss" in lag


def test_tenants_are_searched_sorted_and_paged_both_ways(served, operations):
    cookie = entered(served)
    html = served.request("/console/tenants?search=cm&sort=last&page=2", cookie=cookie).data.decode()
    assert operations.requests == [("cm", TenantOrder.last, 2)]
    assert 'value="cm"' in html
    for shown in (
        "1,000,000",
        "<strong>102</strong> tenants",
        'rel="prev" href="/console/tenants?search=cm&amp;sort=last&amp;page=1"',
        'rel="next" href="/console/tenants?search=cm&amp;sort=last&amp;page=3"',
        'href="/console/tenants?search=cm&amp;sort=events"',
        'href="/console/settings?tenant=acme"',
        "Page 2 of 3",
        "unknown",  # the number of dead letters, while they are still being read
    ):
        assert shown in html
    served.request("/console/tenants?sort=<x>&page=-1", cookie=cookie)
    assert operations.requests[-1] == ("", TenantOrder.name, 1)


def test_keys_and_sources_are_listed_without_secrets(served, operations):
    cookie = entered(served)
    issued = served.keys.create(roles=("writer",), tenant="acme", name="billing", now=datetime.now(UTC))
    served.keys.revoke(issued.client.client_id, now=datetime.now(UTC))
    html = served.request("/console/keys?lang=de", cookie=cookie).data.decode()
    for shown in (
        "billing",
        issued.client.client_id,
        "widerrufen",
        "1.234",
        "audit.events",
        "&lt;script&gt;",
        "writer",
    ):
        assert shown in html
    assert issued.secret not in html
    assert "sha256" not in html
    operations.away = True
    assert "ClickHouse did not answer." in served.request("/console/keys", cookie=cookie).data.decode()


def test_the_board_in_german(served, operations):
    cookie = entered(served)
    for path, header, lang in (("/console", "de", ""), ("/console?lang=de", "en", "?lang=de")):
        answer = served.request(path, cookie=cookie, accept_language=header)
        html = answer.data.decode()
        assert '<html lang="de">' in html
        assert "Accept-Language" in answer.headers["vary"]
        for shown in (
            "72,0</strong> Ereignisse pro Sekunde",
            "4.321",
            "5.000</strong> Nachrichten im Rückstand. Die älteste ist 2 min alt.",
            "7 wurden gelöscht, bevor sie gelesen wurden.",
            ">keines</td>",
            ">1.234</strong> abgelehnte Nachrichten",
            "31.01.2026 13:45:00",
            ">ausgefallen</td>",
            "3 Subjects",
            "1.234 abgelehnte Nachrichten sind offen.",
            'data-pause="Anhalten"',
        ):
            assert shown in html
        assert '<td class="text"><span lang="en">&lt;script&gt;' in html  # the component's own message
        assert f'href="/console/settings{lang}"' in html
        assert f'href="/console/tenants{lang}"' in html
    tenants = served.request("/console/tenants?lang=de", cookie=cookie).data.decode()
    for shown in ('action="/console/view?lang=de"', '<input type="hidden" name="lang" value="de">', "15 Minuten"):
        assert shown in tenants
    operations.away = True
    away = served.request("/console?lang=de", cookie=cookie).data.decode()
    assert "Dieser Abschnitt ist vorübergehend nicht verfügbar." in away
    assert '<span lang="en">The brokers did not answer.</span>' in away
    settings = served.request("/console/settings?tenant=acme&lang=de", cookie=cookie).data.decode()
    assert 'Einstellungen des Mandanten <span class="tenant">acme</span>' in settings
    assert 'href="/console?lang=de"' in settings


def test_message_pages_in_german(served):
    german = {"accept": "text/html", "accept_language": "de"}
    stranger = served.request("/console", **german).data.decode()
    assert "Zum Öffnen der Konsole benötigen Sie einen Link" in stranger
    assert "auditlane token --console" in stranger
    for path, expected in (
        ("/enter?code=x", "Dieser Link gilt nicht mehr"),
        ("/nothing", "Nicht gefunden"),
        ("/enter", "Ungültige Anfrage"),
    ):
        answer = served.request(path, **german)
        html = answer.data.decode()
        assert '<html lang="de">' in html
        assert expected in html
        assert "Accept-Language" in answer.headers["vary"]
    left = served.request("/leave", method="POST", **german).data.decode()
    assert "Sie sind abgemeldet" in left
    assert '<p lang="en">There is no route /nothing.' in served.request("/nothing", **german).data.decode()
    assert served.request("/nothing", accept_language="de").json()["detail"] == "There is no route /nothing."


def test_the_api_is_the_same_in_every_language(served):
    health = served.request("/v1/admin/health", served.client_token("admin"), accept_language="de").json()
    assert [one.get("detail") for one in health["parts"]] == ["", "3 subjects"]


def test_the_page_has_no_inline_code_and_escapes_values(served):
    cookie = entered(served)
    for path in ("/console?range=", "/console/tenants?search=", "/console/keys?x="):
        html = served.request(f"{path}%3Cscript%3E", cookie=cookie).data.decode()
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]* src=)", html)
        for path in re.findall(r'rel="stylesheet" href="([^"]+)"', html):
            assert served.request(path).headers["content-type"].startswith("text/css")
        assert frame.STYLE_PATH in html


def test_an_unavailable_part_does_not_hide_the_others(served, operations):
    operations.away = True
    html = served.request("/console", cookie=entered(served)).data.decode()
    assert "The brokers did not answer." in html
    assert "</strong> messages behind" not in html
    assert "Lag: <strong>unknown</strong>" in html  # also in the summary
    assert "1,234" in html


def test_without_a_session_the_page_explains_how_to_sign_in(served):
    viewer = served.viewer_token("acme")
    for cookie in ("", f"auditlane_viewer={viewer}", f"auditlane_console={viewer}"):
        answer = served.request("/console", cookie=cookie)
        assert answer.status == 401
        assert "auditlane token --console" in answer.data.decode()
    assert served.request("/console", served.client_token("admin")).status == 401


def test_the_consoles_cookie_opens_nothing_else(served):
    value = entered(served).partition("=")[2]
    for headers in ({"cookie": f"auditlane_viewer={value}"}, {"authorization": f"Bearer {value}"}):
        assert served.request("/v1/events", **headers).status == 401
        assert served.request("/v1/admin/health", **headers).status in (401, 403)


def test_only_admins_mint_console_links(served):
    for token, status in (
        ("", 401),
        (served.client_token("vendor"), 403),
        (served.client_token("admin", tenant="acme"), 403),
        (served.viewer_token("acme"), 403),
    ):
        answer = served.request("/v1/admin/console-links", token, method="POST", body={"user": "ops"})
        assert answer.status == status
    body = {"user": "", "ttl_s": 1, "x": 1}
    answer = served.request("/v1/admin/console-links", served.client_token("admin"), method="POST", body=body)
    assert {one["field"] for one in answer.json()["errors"]} == {"user", "ttl_s", "x"}


def test_viewing_as_a_tenant_is_recorded_in_the_tenants_log(served, kept):
    cookie = entered(served)
    answer = post(served, cookie, "tenant=acme")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    session = SimpleCookie(answer.headers["set-cookie"])["auditlane_viewer"]
    assert session["max-age"] == "900"
    assert jwt.decode(session.value, options={"verify_signature": False})["console"] is True
    # The store is unavailable, so a 503 response means that the session has the permission.
    request = {"cookie": f"auditlane_viewer={session.value}"}
    assert served.request("/v1/events", **request).status == 503
    assert served.request("/v1/events", auditlane_tenant="globex", **request).json()["code"] == "TENANT_FORBIDDEN"
    assert served.request("/v1/export?format=csv", **request).json()["code"] == "FORBIDDEN"
    [record] = [one for one in kept if one.action == "audit_log.viewed_as_tenant"]
    assert (record.tenant, record.actor_id, record.actor_type) == ("acme", "ops", "user")
    assert record.metadata["client"].startswith("al_")


def test_everything_in_the_console_is_recorded(served, kept):
    cookie = entered(served)
    served.request("/console", cookie=cookie)
    assert [(one.action, one.tenant, one.actor_id) for one in kept][1:] == [
        ("link.opened", None, "ops"),
        ("installation.viewed", None, "ops"),
    ]
    assert kept[0].action == "link.issued"
    served.request("/console")
    assert (kept[-1].action, kept[-1].outcome) == ("access.denied", "denied")


def test_a_form_of_another_site_is_rejected(served):
    cookie = entered(served)
    for site in ("cross-site", "same-site", "none"):
        assert post(served, cookie, "tenant=acme", site).status == 403
    assert post(served, cookie, "tenant=a%20b").status == 400
    assert post(served, cookie, "").status == 400
    assert post(served, "", "tenant=acme").status == 401


def test_a_key_that_is_revoked_closes_the_console(served):
    issued = served.client("admin")
    key = {"client_id": issued.client.client_id, "secret": issued.secret}
    token = served.request("/v1/token", method="POST", body=key).json()["access_token"]
    answer = served.request("/v1/admin/console-links", token, method="POST", body={"user": "ops"}).json()
    opened = served.request(answer["link"].removeprefix(served.url), method="POST")
    cookie = opened.headers["set-cookie"].partition(";")[0]
    assert served.request("/console", cookie=cookie).status == 200
    served.keys.revoke(issued.client.client_id, now=issued.client.created)
    assert served.request("/console", cookie=cookie).status == 401


def test_the_fake_has_the_interface_that_the_console_uses():
    for name in (
        "health",
        "rate",
        "lag",
        "dead_letters",
        "find_tenants",
        "sources",
        "charted",
        "newest_events",
        "close",
    ):
        assert hasattr(Operations, name)


def test_settings_are_a_page_of_the_environments_or_of_a_tenants(served):
    cookie = entered(served)
    whole = served.request("/console/settings", cookie=cookie).data.decode()
    assert "Environment settings" in whole
    own = served.request("/console/settings?tenant=acme", cookie=cookie).data.decode()
    assert "acme" in own
    for html in (whole, own):
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]* src=)", html)
    assert served.request("/console/settings?tenant=%3Cb%3E", cookie=cookie).status == 400
    assert served.request("/console/settings").status == 401


def test_the_consoles_api_accepts_only_its_cookie(served):
    cookie, tokens = entered(served), (served.client_token("admin"), served.viewer_token("acme"))
    paths = ("/console/v1/session", "/console/v1/structure", "/console/v1/tenants/acme/structure")
    for path in paths:
        # The store is unavailable, so a 503 response means that the request was admitted.
        assert served.request(path, cookie=cookie).status == 503
        assert served.request(path).json()["code"] == "UNAUTHENTICATED"
        for token in tokens:
            assert served.request(path, token).status == 401
            assert served.request(path, cookie=f"auditlane_viewer={token}").status == 401
    for path in ("/v1/session", "/v1/structure", "/v1/tenants/acme/structure"):
        assert served.request(path, cookie=cookie).status == 401
    for site in ("", "cross-site", "same-site", "none"):
        answer = served.request(
            paths[1], cookie=cookie, method="PUT", body={"enabled": False}, if_match="*", sec_fetch_site=site
        )
        assert (answer.status, answer.json()["code"]) == (403, "FORBIDDEN")
    assert not [one for one in served.app.openapi()["paths"] if one.startswith("/console")]


def test_the_rate_has_three_digits():
    rates = [Rate(seconds=60, events=round(60 * one), events_per_second=one) for one in (0, 0.05, 1.25, 99.94, 1_234.5)]
    assert [page_model.event_rate(EN, one) for one in rates] == ["0", "0.05", "1.2", "99.9", "1,234"]
    assert [page_model.event_rate(DE, one) for one in rates] == ["0", "0,05", "1,2", "99,9", "1.234"]


def test_an_age_has_one_unit_in_the_readers_language():
    ages = (None, 0.44, 12.4, 300.0, 11_520.0, 181_440.0)
    assert [operation.age(EN, one) for one in ages] == ["", "0.4 s", "12 s", "5 min", "3.2 h", "2.1 d"]
    assert [operation.age(DE, one) for one in ages] == ["", "0,4 s", "12 s", "5 min", "3,2 h", "2,1 Tage"]


def test_the_operation_has_charts_and_events_in_both_languages(served, operations):
    cookie = entered(served)
    html = served.request("/console", cookie=cookie).data.decode()
    assert html.count('role="img"') == html.count("<title id=") == html.count("<desc id=") == len(operation.CHARTS)
    for shown in (
        '<span class="outcome-failure">Processing delayed</span>',
        "delay: 1 min",
        "median: 4.0 s",
        'aria-current="true">7 days</a>',
        "There are no measurements for",
    ):
        assert shown in html
    assert html.count('class="gap"') >= len(operation.CHARTS)
    german = served.request("/console?lang=de&range=24h", cookie=cookie).data.decode()
    for shown in (
        "Verarbeitung verzögert",
        "Verzögerung: 1 min",
        "Median: 4,0 s",
        'aria-current="true">24 Stunden</a>',
        "Messwerte nach Stunde (UTC)",
        'href="/console?lang=de&amp;range=7d#history"',
    ):
        assert shown in german
    served.request("/console?range=9y", cookie=cookie)
    assert operations.charted_periods == [timedelta(days=7), timedelta(days=1), timedelta(days=7)]


def test_without_the_store_the_charts_and_events_say_so_and_the_rest_remains(served, operations):
    operations.away = True
    html = served.request("/console", cookie=entered(served)).data.decode()
    for section in ("history", "timeline"):
        content = html[html.index(f'<section id="{section}"') :].partition("</section>")[0]
        assert "ClickHouse did not answer." in content
        assert "<svg" not in content
    assert "72.0</strong> events per second" in html
