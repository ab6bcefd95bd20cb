"""Tests reading a tenant's log on the real engine: paging, filters and tenancy. Each event is returned once."""

from __future__ import annotations

import ipaddress
import json
import random
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import urllib3
from querying import START, TENANT_HEADER, Store, event, served, store

from auditlane.access.scope import TenantScope
from auditlane.contract.stored_event import Event
from auditlane.query.clickhouse.executor import Limits
from auditlane.query.export.exporter import Exporter
from auditlane.query.filters import Filter, parse
from auditlane.query.reader import Reader
from auditlane.runtime.errors import NotFound, QueryTooLarge, StoreRefused, StoreUnavailable
from auditlane.runtime.settings import load

ACME, GLOBEX = TenantScope.for_operator("acme"), TenantScope.for_operator("globex")
HOSTILE = "a\tb\nc\r'\"\\`%s%(x)s{p1:String};--\x01\x00é😀</script>"
ROWS = 3_000
FIRST_ID = str(event(0)["event_id"])


def rows() -> list[dict[str, Any]]:
    """Return many events with few distinct times, so that every page boundary falls between events with the same
    time.
    """
    chance = random.Random(3)
    return [
        event(
            number,
            occurred_at=START + timedelta(days=40 * (number % 3), microseconds=chance.randrange(4)),
            action=chance.choice(["login", "logout", "document.deleted"]),
            actor_name=chance.choice([None, "Jane", "Ünal"]),
            outcome=chance.choice(["success", "failure", "denied", "unknown"]),
            severity=chance.choice(["Info", "High", "Critical"]),
            ip=chance.choice([None, "10.0.0.1", "2001:db8::1"]),
            resource_id=chance.choice([None, "", "d-1"]),
            description=chance.choice([None, "Invoice Nº 7", HOSTILE]),
            metadata=chance.choice([{}, {"region": "eu"}, {HOSTILE: HOSTILE}]),
            fields=chance.choice([{}, {"total": "1.5"}]),
        )
        for number in range(ROWS)
    ]


def clickhouse_order(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return a sort key that compares UUIDs as ClickHouse does, with the low half first."""
    value = row["event_id"].int
    return row["occurred_at"], value & (1 << 64) - 1, value >> 64


@pytest.fixture(scope="module")
def data() -> list[dict[str, Any]]:
    return rows()


@pytest.fixture(scope="module")
def filled(clickhouse: str, data: list[dict[str, Any]]) -> Iterator[Store]:
    with store(clickhouse) as made:
        shuffled = random.Random(4).sample(data, len(data))
        for start in range(0, len(shuffled), 700):  # several table parts in each of three months
            made.add(shuffled[start : start + 700])
        # Another tenant has events with the same ids and times.
        made.add([row | {"tenant_id": "globex", "actor_id": "theirs"} for row in data[:50]])
        yield made


@pytest.fixture(scope="module")
def reader(filled: Store) -> Iterator[Reader]:
    made = Reader(filled.settings)
    yield made
    made.close()


@pytest.fixture(scope="module")
def url(filled: Store, reader: Reader) -> Iterator[str]:
    exporter = Exporter(filled.settings)
    with served(reader, exporter) as address:
        yield address
    exporter.close()


def get(url: str, path: str, tenant: str = "acme", **fields: Any) -> tuple[int, Any]:
    answer = urllib3.request("GET", url + path, fields=fields, headers={TENANT_HEADER: tenant}, retries=False)
    return answer.status, json.loads(answer.data)


def ids(events: list[Event]) -> list[str]:
    return [one.event_id for one in events]


@pytest.mark.parametrize("limit", [1, 60, 200])
def test_paging_both_ways_equals_the_sorted_list(reader, data, limit):
    few = {"action": "login", "severity": "High", "outcome": "denied", "actor_name": "Jane"}
    chosen = data if limit > 1 else [row for row in data if all(row[name] == value for name, value in few.items())]
    filter_ = Filter() if limit > 1 else parse(few.items())
    expected = [str(row["event_id"]) for row in sorted(chosen, key=clickhouse_order, reverse=True)]
    forward, position = [], None
    while True:
        page = reader.page(ACME, filter_, limit=limit, position=position)
        forward.append(ids(page.events))
        assert (page.newer is None) == (position is None)
        if page.older is None:
            break
        position = page.older
    assert [one for page_ids in forward for one in page_ids] == expected
    assert {len(one) for one in forward[:-1]} == {limit}
    backward = [forward[-1]]
    while page.newer is not None:
        page = reader.page(ACME, filter_, limit=limit, position=page.newer)
        assert page.older is not None
        backward.insert(0, ids(page.events))
    assert backward == forward


MATCHES: list[tuple[list[tuple[str, str]], Callable[[dict[str, Any]], bool]]] = [
    ([("action", "login")], lambda row: row["action"] == "login"),
    ([("action", "login"), ("action", "logout")], lambda row: row["action"] in ("login", "logout")),
    ([("action", "LOGIN")], lambda row: False),
    ([("actor", "Jane")], lambda row: row["actor_name"] == "Jane"),
    ([("actor", "u-17"), ("actor", "Ünal")], lambda row: row["actor_id"] == "u-17" or row["actor_name"] == "Ünal"),
    ([("actor_id", "u-17")], lambda row: row["actor_id"] == "u-17"),
    ([("actor_name", "")], lambda row: row["actor_name"] is None),
    ([("actor_name", ""), ("actor_name", "Jane")], lambda row: row["actor_name"] in (None, "Jane")),
    ([("resource_id", "")], lambda row: not row["resource_id"]),
    (
        [("outcome", "Denied"), ("severity", "high")],
        lambda row: (row["outcome"], row["severity"]) == ("denied", "High"),
    ),
    ([("ip", "10.0.0.1")], lambda row: row["ip"] == "10.0.0.1"),
    ([("ip", "2001:DB8:0::1")], lambda row: row["ip"] == "2001:db8::1"),
    ([("ip", "")], lambda row: row["ip"] is None),
    ([("ip", ""), ("ip", "::ffff:10.0.0.1")], lambda row: row["ip"] in (None, "10.0.0.1")),
    ([("metadata.region", "eu")], lambda row: row["metadata"].get("region") == "eu"),
    ([("metadata.region", "")], lambda row: "region" not in row["metadata"]),
    ([("metadata." + HOSTILE, HOSTILE)], lambda row: HOSTILE in row["metadata"]),
    ([("fields.total", "1.5"), ("fields.total", "2")], lambda row: "total" in row["fields"]),
    ([("description", HOSTILE)], lambda row: row["description"] == HOSTILE),
    ([("q", "INVOICE nº")], lambda row: row["description"] == "Invoice Nº 7"),
    ([("q", "ünal Document.Del")], lambda row: row["actor_name"] == "Ünal" and row["action"] == "document.deleted"),
    ([("q", "{p1:String};--")], lambda row: HOSTILE in (row["description"], *row["metadata"].values())),
    ([("q", "%s'_")], lambda row: False),
    ([("q", "10.0.0.1")], lambda row: row["ip"] == "10.0.0.1"),
    ([("q", "1.5")], lambda row: "total" in row["fields"]),
    ([("q", "FAIL")], lambda row: row["outcome"] == "failure"),
    ([("q", "crit 2001:DB8")], lambda row: row["severity"] == "Critical" and row["ip"] == "2001:db8::1"),
    ([("q", FIRST_ID[4:21].upper())], lambda row: str(row["event_id"]) == FIRST_ID),
    ([("q", "eu\nu-17")], lambda row: "eu" in row["metadata"].values() and "u-17" in row["actor_id"]),
    ([("from", "2026-04-01")], lambda row: row["occurred_at"].month > 3),
    ([("to", "2026-03-01T12:00:00.000002Z")], lambda row: row["occurred_at"] < START + timedelta(microseconds=2)),
    (
        [("from", "2026-03-01T13:00:00.000001+01:00"), ("to", "2026-03-01T12:00:00.000003Z")],
        lambda row: START + timedelta(microseconds=1) <= row["occurred_at"] < START + timedelta(microseconds=3),
    ),
    ([("from", "0001-01-01"), ("to", "9999-12-31")], lambda row: True),
]


@pytest.mark.parametrize(
    ("pairs", "matches"), MATCHES, ids=lambda value: repr(value)[:40] if type(value) is list else ""
)
def test_each_filter_finds_exactly_the_events_that_match(reader, data, pairs, matches):
    expected = {str(row["event_id"]) for row in data if matches(row)}
    filter_ = parse(pairs)
    assert reader.count(ACME, filter_) == len(expected)
    assert set(ids(reader.page(ACME, filter_, limit=ROWS).events)) == expected


def test_an_event_in_full(reader, filled):
    values = event(
        900_001,
        "whole",
        occurred_at=START + timedelta(microseconds=120),
        ip="10.0.0.1",
        before='{"a": 1}',
        after="not json",
        metadata={"k": HOSTILE, "": "empty key"},
        fields={"f": "1"},
        description=HOSTILE,
    )
    filled.add([values])
    found = reader.event(TenantScope.for_operator("whole"), str(values["event_id"]))
    expected = {name: value for name, value in values.items() if not name.startswith(("kafka_", "schema_id"))}
    expected |= {
        "event_id": str(values["event_id"]),
        "occurred_at": "2026-03-01T12:00:00.000120Z",
        "ingested_at": "2026-03-01T12:00:01.000000Z",
        "content_hash": found.content_hash,
        "ip_country": None,
        "conflict": False,
        "others": [],
    }
    assert len(found.content_hash) == 32
    assert found.model_dump(mode="json") == expected


def test_ipv6_is_shown_as_ipv6(reader, data):
    shown = {one.ip for one in reader.page(ACME, Filter(), limit=ROWS).events}
    assert shown == {None, "10.0.0.1", "2001:db8::1"}
    assert all(ipaddress.ip_address(ip) for ip in shown if ip)


def test_each_event_once_and_the_first_in_kafka_wins(filled, reader):
    scope = TenantScope.for_operator("twice")
    at = [START + timedelta(milliseconds=after) for after in (30, 10, 20)]
    for attempt, kafka in enumerate(at):  # the second insert contains the events that reached Kafka first
        filled.add(
            [
                event(
                    number,
                    "twice",
                    ingested_at=kafka,
                    kafka_timestamp=kafka,
                    kafka_partition=attempt,
                    kafka_offset=1_000 * attempt + number,
                )
                for number in range(120)
            ]
        )
    later = event(0, "twice", occurred_at=START + timedelta(seconds=1), description="the same id at another time")
    filled.add([later])
    seen = []
    position = None
    while True:
        page = reader.page(scope, Filter(), limit=50, position=position)
        seen += page.events
        if page.older is None:
            break
        position = page.older
    assert len(seen) == len({(one.event_id, one.occurred_at) for one in seen}) == 121
    kept = {one.ingested_at for one in seen if one.description is None}
    assert kept == {at[1].isoformat(timespec="microseconds").replace("+00:00", "Z")}
    assert reader.count(scope, Filter()) == 121
    assert reader.event(scope, str(later["event_id"])).description == "the same id at another time"


def test_tenants_never_see_each_other(reader, data, url):
    theirs = reader.page(GLOBEX, Filter(), limit=200).events
    assert len(theirs) == 50
    assert {(one.tenant_id, one.actor_id) for one in theirs} == {("globex", "theirs")}
    assert {one.tenant_id for one in reader.page(ACME, Filter(), limit=ROWS).events} == {"acme"}
    shared, only_acmes = str(data[0]["event_id"]), str(data[100]["event_id"])
    assert get(url, f"/v1/events/{shared}", "globex")[1]["actor_id"] == "theirs"
    assert get(url, f"/v1/events/{shared}", "acme")[1]["actor_id"] == "u-0"
    assert get(url, f"/v1/events/{only_acmes}", "acme")[0] == 200
    status, problem = get(url, f"/v1/events/{only_acmes}", "globex")
    assert (status, problem["code"]) == (404, "NOT_FOUND")
    cursor = get(url, "/v1/events", "acme", limit=2)[1]["next"]
    status, problem = get(url, "/v1/events", "globex", limit=2, cursor=cursor)
    assert (status, problem["code"]) == (400, "CURSOR_INVALID")
    with pytest.raises(NotFound):
        reader.event(TenantScope.for_operator("acme' OR 1=1 --"), shared)


def test_pages_follow_their_cursors_over_http(url, data):
    expected = [str(row["event_id"]) for row in sorted(data, key=clickhouse_order, reverse=True)][:120]
    first = get(url, "/v1/events")[1]
    assert first["prev"] is None
    assert len(first["data"]) == 50
    second = get(url, "/v1/events", cursor=first["next"], limit=70)[1]
    assert [one["event_id"] for one in first["data"] + second["data"]] == expected
    back = get(url, "/v1/events", cursor=second["prev"])[1]
    assert back["data"] == first["data"]
    assert (back["prev"], back["next"] is not None) == (None, True)
    empty = get(url, "/v1/events", action="nothing such")[1]
    assert empty == {"data": [], "next": None, "prev": None, "searched_to": None}


@pytest.mark.parametrize(
    ("path", "fields", "code", "field"),
    [
        ("/v1/events", {"actr": "x"}, "FILTER_INVALID", "actr"),
        ("/v1/events", {"tenant_id": "globex"}, "FILTER_INVALID", "tenant_id"),
        ("/v1/events", {"limit": "201"}, "FILTER_INVALID", "limit"),
        ("/v1/events", {"cursor": "AAAA"}, "CURSOR_INVALID", "cursor"),
        ("/v1/events", {"from": "x"}, "FILTER_INVALID", "from"),
        ("/v1/events/17", {}, "FILTER_INVALID", "event_id"),
        ("/v1/export", {}, "FILTER_INVALID", "format"),
        ("/v1/export", {"format": "docx"}, "FILTER_INVALID", "format"),
        ("/v1/export", {"format": "csv", "formulas": "no"}, "FILTER_INVALID", "formulas"),
        ("/v1/export", {"format": "csv", "limit": "5"}, "FILTER_INVALID", "limit"),
    ],
)
def test_an_invalid_request_reports_its_field_and_fix(url, path, fields, code, field):
    status, problem = get(url, path, **fields)
    assert (status, problem["code"], problem["field"]) == (400, code, field)
    assert problem["fix"]


def test_a_cursor_of_another_filter_is_rejected(url):
    cursor = get(url, "/v1/events", action="login", limit=2)[1]["next"]
    assert get(url, "/v1/events", action="login", cursor=cursor)[0] == 200
    for fields in ({}, {"action": "logout"}, {"action": "login", "q": "x"}):
        status, problem = get(url, "/v1/events", cursor=cursor, **fields)
        assert (status, problem["code"]) == (400, "CURSOR_INVALID")
        assert "same filters" in problem["fix"]


def test_openapi_names_every_filter(url):
    from auditlane.query.filters import COLUMNS

    paths = get(url, "/openapi.json")[1]["paths"]
    for path in ("/v1/events", "/v1/export"):
        names = {one["name"] for one in paths[path]["get"]["parameters"]}
        assert {"from", "to", "q", "metadata", "fields", *COLUMNS} <= names
    assert "cursor" in {one["name"] for one in paths["/v1/events"]["get"]["parameters"]}


def test_an_unavailable_store_is_reported():
    away = Reader(load(clickhouse_url="http://127.0.0.1:9"))
    with pytest.raises(StoreUnavailable):
        away.page(ACME, Filter(), limit=1)
    with served(away) as url:
        status, problem = get(url, "/v1/events")
    assert (status, problem["code"]) == (503, "STORE_UNAVAILABLE")


def test_a_store_without_tables_is_reported(clickhouse):
    empty = Reader(load(clickhouse_url=clickhouse, clickhouse_database=f"none_{uuid.uuid4().hex[:8]}"))
    with pytest.raises(StoreRefused, match="auditlane init"):
        empty.page(ACME, Filter(), limit=1)
    empty.close()


def test_a_query_that_needs_too_much_memory(filled):
    small = Reader(filled.settings, Limits(memory_bytes=1 << 14))
    with pytest.raises(QueryTooLarge, match="memory"):
        small.page(ACME, parse([("q", "x")]), limit=ROWS)
    small.close()
