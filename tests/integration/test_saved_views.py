"""Tests saved views over HTTP on a real ClickHouse: isolation between people and tenants, concurrent changes, and
limits. The lists that views show are compared with SQL.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from querying import Store, store
from serving import HOUR, Served

from auditlane.access.permissions import VIEWER, Permission
from auditlane.access.tokens import Viewer, mint_viewer_token

READ = frozenset({Permission.read})
LIMIT = 5
PRESETS = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}


@pytest.fixture(scope="module")
def table(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        yield made


@pytest.fixture(scope="module")
def served(table: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    settings = {"clickhouse_url": table.settings.clickhouse_url, "clickhouse_database": table.database}
    limits = {"saved_views_per_person": LIMIT, "saved_views_per_tenant": LIMIT, "saved_view_changes_per_minute": 10_000}
    with Served(tmp_path_factory.mktemp("served"), **settings, **limits) as made:
        yield made


class Person:
    """A tenant's user, with a token."""

    def __init__(self, served: Served, viewer: Viewer) -> None:
        self._served = served
        self.token = mint_viewer_token(served.signing, viewer, now=datetime.now(UTC), ttl=HOUR).text

    def call(self, method: str, path: str = "", body: Any = None, **headers: str) -> Any:
        return self._served.request(f"/v1/views{path}", self.token, method=method, body=body, **headers)

    def ok(self, method: str, path: str = "", body: Any = None, **headers: str) -> Any:
        answer = self.call(method, path, body, **headers)
        assert answer.status in (200, 201, 204), answer.data
        return answer.json() if answer.data else None

    def refused(self, status: int, code: str, method: str, path: str = "", body: Any = None, **headers: str) -> Any:
        answer = self.call(method, path, body, **headers)
        assert (answer.status, answer.json()["code"]) == (status, code), answer.data
        return answer.json()

    def save(self, name: str, **content: Any) -> Any:
        return self.ok("POST", "", {"name": name, **content})

    @property
    def names(self) -> list[str]:
        return [one["name"] for one in self.ok("GET")["data"]]


@pytest.fixture
def person(served: Served, unique: str) -> Any:
    """Provide a function that creates a person in a tenant that no other test uses."""

    def made(user: str = "jane", permissions: frozenset[Permission] = VIEWER, **viewer: Any) -> Person:
        return Person(served, Viewer(**{"tenant": unique, "user": user, "permissions": permissions} | viewer))

    return made


def test_a_view_is_saved_read_changed_and_deleted(person: Any) -> None:
    jane = person(permissions=READ)
    content = {
        "query": "action:login outcome:denied",
        "range": "7d",
        "sort": "occurred_at",
        "columns": ["action", "ip"],
    }
    answer = jane.call("POST", "", {"name": " Denied ", **content})
    saved = answer.json()
    assert (answer.status, answer.headers["location"]) == (201, f"/v1/views/{saved['id']}")
    assert (
        saved.items()
        >= ({"name": "Denied", "shared": False, "from": None, "tz": None, "revision": 1} | content).items()
    )
    assert (saved["created_by"], saved["changed_by"]) == ("jane", "jane")
    path = f"/{saved['id']}"
    assert jane.ok("GET", path) == saved
    assert jane.ok("GET") == {"data": [saved]}
    changed = {"name": "Denied", "from": "2026-01-31", "to": "2026-02-01", "tz": "Europe/Berlin"}
    assert jane.refused(428, "PRECONDITION_REQUIRED", "PUT", path, changed)["field"] == "If-Match"
    jane.refused(412, "PRECONDITION_FAILED", "PUT", path, changed, if_match='"9"')
    after = jane.call("PUT", path, changed, if_match=answer.headers["etag"])
    assert after.json().items() >= (changed | {"query": "", "range": None, "columns": None, "revision": 2}).items()
    jane.refused(412, "PRECONDITION_FAILED", "DELETE", path, if_match=answer.headers["etag"])
    jane.ok("DELETE", path, if_match=after.headers["etag"])
    assert jane.names == []
    for method in ("GET", "DELETE", "PUT"):
        jane.refused(404, "NOT_FOUND", method, path, changed if method == "PUT" else None, if_match="*")


def test_errors_name_the_field_and_the_fix(person: Any) -> None:
    jane = person()
    saved = jane.save("Denied")
    error = jane.refused(400, "FILTER_INVALID", "POST", "", {"name": "x", "query": "actr:jane"})
    assert (error["field"], error["column"], error["fix"].startswith("Did you mean actor?")) == ("query", 1, True)
    error = jane.refused(400, "INPUT_INVALID", "POST", "", {"name": "x", "columns": ["action", "actn"]})
    assert (error["field"], "Did you mean action?" in error["fix"]) == ("columns.1", True)
    error = jane.refused(400, "INPUT_INVALID", "POST", "", {"name": "x" * 61, "query": "y" * 2_001})
    assert [one["field"] for one in error["errors"]] == ["name", "query"]
    error = jane.refused(409, "CONFLICT", "POST", "", {"name": "dENIED"})
    assert (error["field"], error["fix"].startswith("Choose another name")) == ("name", True)
    other = jane.save("Other")
    assert jane.refused(409, "CONFLICT", "PUT", f"/{other['id']}", {"name": "Denied"}, if_match="*")["field"] == "name"
    assert jane.refused(400, "FILTER_INVALID", "GET", "?tenant=x")["field"] == "tenant"
    assert jane.ok("GET", f"/{saved['id']}") == saved


def test_persons_and_tenants_have_their_own_views(served: Served, person: Any, unique: str) -> None:
    jane, joe, admin = person(), person("joe", READ), person("admin", VIEWER)
    others = {
        "another user": joe,
        "the same name in another tenant": person(tenant=f"{unique}x"),
        "an operator of the same name": person(console=True),
        "a user with the id of a client": person("al_1"),
    }
    own = jane.save("Own")
    for who, other in others.items():
        assert other.names == [], who
        for method in ("GET", "PUT", "DELETE"):
            body = {"name": "Stolen"} if method == "PUT" else None
            other.refused(404, "NOT_FOUND", method, f"/{own['id']}", body, if_match="*")
    client = served.client_token("auditor", tenant=unique)
    assert served.request("/v1/views", client).json() == {"data": []}

    shared = admin.save("Shared", shared=True, query="outcome:denied")
    own_first = joe.save("Shared")  # a person's own view may have the same name as a shared one
    assert [(one["id"], one["shared"]) for one in joe.ok("GET")["data"]] == [
        (shared["id"], True),
        (own_first["id"], False),
    ]
    assert jane.names == ["Shared", "Own"]
    assert others["an operator of the same name"].names == ["Shared"]
    assert others["the same name in another tenant"].names == []
    assert served.request("/v1/views", client).json()["data"] == [shared]
    assert jane.ok("GET", f"/{own['id']}") == own


def test_shared_views_require_the_permission_to_configure(person: Any) -> None:
    admin, reader, configurer = person("admin"), person("joe", READ), person("x", frozenset({Permission.configure}))
    shared, own = admin.save("Shared", shared=True), reader.save("Own")
    path, mine = f"/{shared['id']}", f"/{own['id']}"
    refusals = [
        ("POST", "", {"name": "x", "shared": True}),
        ("PUT", path, {"name": "Renamed"}),
        ("PUT", path, {"name": "Taken", "shared": False}),
        ("PUT", mine, {"name": "Own", "shared": True}),
        ("DELETE", path, None),
    ]
    for method, where, body in refusals:
        error = reader.refused(403, "FORBIDDEN", method, where, body, if_match="*")
        assert (error["field"], "audits:configure" in error["detail"]) == ("shared", True)
    configurer.refused(403, "FORBIDDEN", "GET")
    assert admin.ok("GET", path) == shared
    assert reader.ok("GET", mine) == own


def test_a_view_keeps_its_id_when_it_is_shared_and_not_shared(person: Any) -> None:
    admin, joe = person("admin"), person("joe", READ)
    own = admin.save("Denied", query="outcome:denied")
    path, content = f"/{own['id']}", {"name": "Denied", "query": "outcome:denied"}
    shared = admin.ok("PUT", path, content | {"shared": True}, if_match='"1"')
    assert (shared["id"], shared["shared"], shared["revision"]) == (own["id"], True, 2)
    assert (admin.names, joe.names) == (["Denied"], ["Denied"])
    other = person("other")
    # `shared` is omitted, so the view stays shared
    kept = other.ok("PUT", path, content | {"name": "Changed"}, if_match='"2"')
    assert (kept["shared"], kept["created_by"], kept["changed_by"]) == (True, "admin", "other")
    admin.refused(412, "PRECONDITION_FAILED", "PUT", path, content | {"shared": False}, if_match='"2"')
    assert (admin.names, joe.names) == (["Changed"], ["Changed"])
    mine = other.ok("PUT", path, content | {"shared": False}, if_match='"3"')
    assert (mine["shared"], mine["revision"]) == (False, 4)
    assert (admin.names, joe.names, other.names) == ([], [], ["Denied"])


def test_numbers_are_bounded(person: Any) -> None:
    jane = person()
    for number in range(LIMIT):
        jane.save(f"own {number}")
        last = jane.save(f"shared {number}", shared=True)
    for shared in (False, True):
        error = jane.refused(409, "CONFLICT", "POST", "", {"name": "one more", "shared": shared})
        variable = "AUDITLANE_SAVED_VIEWS_PER_" + ("TENANT" if shared else "PERSON")
        assert (f"the limit is {LIMIT}" in error["detail"], variable in error["fix"]) == (True, True)
    jane.refused(409, "CONFLICT", "PUT", f"/{last['id']}", {"name": "mine", "shared": False}, if_match="*")
    assert len(jane.names) == 2 * LIMIT
    assert len(person("joe").names) == LIMIT
    person("joe").save("own")


def test_concurrent_changes_lose_nothing(person: Any) -> None:
    jane, joe = person(), person("joe")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: jane.call("POST", "", {"name": f"{number}"}), range(8)))
    made = [one.json()["name"] for one in answers if one.status == 201]
    assert {one.status for one in answers} == {201, 409}
    assert sorted(jane.names) == sorted(made)
    assert len(made) == LIMIT
    shared = jane.save("Shared", shared=True)

    def change(number: int) -> Any:
        who = (jane, joe)[number % 2]
        return who.call("PUT", f"/{shared['id']}", {"name": f"Changed {number}"}, if_match='"1"')

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(change, range(8)))
    [won] = [one.json() for one in answers if one.status == 200]
    assert {one.status for one in answers} == {200, 412}
    assert joe.ok("GET", f"/{shared['id']}") == won


def test_too_many_changes_are_limited_by_tenant(table: Store, tmp_path: Any) -> None:
    settings = {"clickhouse_url": table.settings.clickhouse_url, "clickhouse_database": table.database}
    with Served(tmp_path, **settings, saved_view_changes_per_minute=1) as served:
        viewers = [Viewer(f"t{uuid.uuid4().hex[:8]}", "jane", VIEWER) for _ in range(2)]
        jane, other = (Person(served, viewer) for viewer in viewers)
        statuses = [jane.call("POST", "", {"name": "x"}).status for _ in range(5)]
        assert (statuses[0], 429 in statuses) == (201, True)
        assert jane.names == ["x"], "reading is not limited"
        other.save("x")


ROWS = 100_000
# Each view, and the condition with which SQL finds its events at a given time.
VIEWS: list[tuple[dict[str, Any], str]] = [
    ({}, "true"),
    ({"query": "action:document.deleted outcome:denied"}, "action = 'document.deleted' AND outcome = 'denied'"),
    ({"query": "action:document.* -outcome:success", "range": "7d"},
     "startsWith(action, 'document.') AND outcome != 'success' AND occurred_at >= {now} - INTERVAL 7 DAY"),
    ({"query": "severity:>=High (actor:u-7 OR actor:\"Person 8\")", "range": "30d", "sort": "occurred_at"},
     "severity >= 'High' AND (actor_id = 'u-7' OR actor_name = 'Person 8') AND occurred_at >= {now} - INTERVAL 30 DAY"),
    ({"query": "metadata.region:eu ip:10.0.0.0/30", "from": "{day}", "to": "{next}"},
     "metadata['region'] = 'eu' AND ip <= toIPv6('::ffff:10.0.0.3') AND toDate(occurred_at) = '{day}'"),
    ({"query": "fields.amount:>900", "sort": "occurred_at", "range": "24h"},
     "toFloat64OrZero(fields['amount']) > 900 AND occurred_at >= {now} - INTERVAL 24 HOUR"),
]  # fmt: skip


def test_a_views_list_has_the_events_that_sql_finds(served: Served, table: Store, person: Any, unique: str) -> None:
    """The requests are those of the viewer, and the list is read to its end unless it is long."""
    now = datetime.now(UTC).replace(microsecond=0)
    generate(table, unique, now)
    jane = person()
    day = now.date() - timedelta(days=3)
    for number, (content, condition) in enumerate(VIEWS):
        if number == LIMIT:
            jane = person("joe")
        places = {
            "{day}": f"{day}",
            "{next}": f"{day + timedelta(days=1)}",
            "{now}": f"toDateTime('{now:%F %T}', 'UTC')",
        }
        content = {name: replaced(value, places) for name, value in content.items()}
        condition = replaced(condition, places)
        view = jane.ok("GET", f"/{jane.save(f'{number}', **content)['id']}")
        filters = [(name, view[name]) for name in ("query", "from", "to") if view[name]]
        if view["range"]:
            filters.append(("from", (now - PRESETS[view["range"]]).isoformat()))
        rows = table.client.query(
            f"SELECT toString(event_id) FROM {table.database}.log WHERE tenant_id = '{unique}' AND {condition}"
        ).result_rows
        wanted = {row[0] for row in rows}
        assert number == 0 or 0 < len(wanted) < ROWS, condition
        counted = served.request(f"/v1/histogram?{urlencode(filters)}", jane.token).json()["events"]
        assert counted == len(wanted), view
        if number:
            found = listed(served, jane.token, [*filters, ("sort", view["sort"])])
            assert (len(found), {*found}) == (len(wanted), wanted), view
        else:
            assert len(wanted) == ROWS


def generate(table: Store, tenant: str, now: datetime) -> None:
    """Let ClickHouse generate events over the 40 days before `now`."""
    table.client.command(
        f"INSERT INTO {table.database}.events (tenant_id, occurred_at, event_id, action, actor_id, actor_name, outcome,"
        " severity, ip, metadata, fields, ingested_at, kafka_partition, kafka_offset, kafka_timestamp)"
        f" SELECT '{tenant}', toDateTime64('{now:%F %T}', 6, 'UTC') - number * 35, generateUUIDv4(number),"
        " ['login', 'logout', 'document.created', 'document.deleted', 'invoice.paid'][cityHash64(number) % 5 + 1],"
        " concat('u-', toString(number % 50)), concat('Person ', toString(number % 50)),"
        " ['success', 'success', 'success', 'failure', 'denied'][cityHash64(number, 1) % 5 + 1],"
        " ['Info', 'Low', 'Medium', 'High', 'Critical', 'Error'][cityHash64(number, 2) % 6 + 1],"
        " toIPv6(concat('::ffff:10.0.0.', toString(cityHash64(number, 3) % 16))),"
        " map('region', ['eu', 'us'][number % 2 + 1]), map('amount', toString(cityHash64(number, 4) % 1000)),"
        f" now64(3), 1, number, now64(3) FROM numbers({ROWS})",
        settings={"insert_deduplication_token": uuid.uuid4().hex},
    )


def replaced(value: Any, places: dict[str, str]) -> Any:
    for name, text in places.items():
        value = value.replace(name, text) if isinstance(value, str) else value
    return value


def listed(served: Served, token: str, parameters: list[tuple[str, str]]) -> list[str]:
    found: list[str] = []
    cursor: list[tuple[str, str]] = []
    while True:
        page = served.request(f"/v1/events?{urlencode([*parameters, ('limit', '200'), *cursor])}", token).json()
        found += [one["event_id"] for one in page["data"]]
        if page["next"] is None:
            return found
        cursor = [("cursor", page["next"])]
