"""Tests facets, histograms and stats on the real engine, compared with counts in Python."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import urllib3
from querying import START, TENANT_HEADER, Store, event, served, store, summaries_of

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.executor import Limits, TenantConcurrency
from auditlane.query.clickhouse.statements import EVENTS, Statement
from auditlane.query.filters import Filter, parse
from auditlane.query.reader import Reader
from auditlane.runtime.errors import QueryTooLarge, RateLimited

ACME = TenantScope.for_operator("acme")
NOW = START + timedelta(days=9, hours=3)
ROWS = 500


@pytest.fixture(scope="module")
def data() -> list[dict[str, Any]]:
    chance = random.Random(8)
    return [
        event(
            number,
            occurred_at=START + timedelta(minutes=chance.randrange(10 * 24 * 60), microseconds=number),
            action=chance.choice(["login", "login", "logout", "sign\tup"]),
            actor_id=f"u-{chance.randrange(30)}",
            actor_name=chance.choice([None, "", "Jane"]),
            severity=chance.choice(["Info", "High", "Critical", "Error"]),
            ip=chance.choice([None, "10.0.0.1", "2001:db8::1"]),
            user_agent=chance.choice([None, "curl"]),
            metadata=chance.choice([{}, {"region": "eu"}, {"region": "us"}]),
            fields=chance.choice([{}, {"plan": "free"}]),
        )
        for number in range(ROWS)
    ]


@pytest.fixture(scope="module")
def filled(clickhouse: str, data: list[dict[str, Any]]) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.add(data)
        made.add([row | {"kafka_offset": row["kafka_offset"] + ROWS} for row in data[:50]])  # sent twice
        made.add([row | {"tenant_id": "globex"} for row in data[:20]])
        yield made


@pytest.fixture(scope="module")
def reader(filled: Store) -> Iterator[Reader]:
    made = Reader(filled.settings)
    yield made
    made.close()


@pytest.fixture(scope="module")
def url(reader: Reader) -> Iterator[str]:
    with served(reader) as address:
        yield address


def get(url: str, path: str, tenant: str = "acme", **fields: Any) -> tuple[int, Any]:
    answer = urllib3.request("GET", url + path, fields=fields, headers={TENANT_HEADER: tenant}, retries=False)
    return answer.status, json.loads(answer.data)


def counted(values: Iterator[str | None]) -> list[dict[str, Any]]:
    found = Counter(values)
    ordered = sorted(found, key=lambda value: (-found[value], (value or "").encode()))
    return [{"value": value, "events": found[value]} for value in ordered]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("action", lambda row: row["action"]),
        ("severity", lambda row: row["severity"]),
        ("ip", lambda row: row["ip"]),
        ("user_agent", lambda row: row["user_agent"]),
        ("actor", lambda row: row["actor_name"] or row["actor_id"]),
        ("metadata.region", lambda row: row["metadata"].get("region")),
        ("fields.plan", lambda row: row["fields"].get("plan")),
    ],
)
def test_facets_count_each_value_of_a_field(url, data, field, value):
    status, answer = get(url, "/v1/facets", field=field, limit=100, query="-action:logout")
    assert status == 200
    assert answer == {"field": field, "data": counted(value(row) for row in data if row["action"] != "logout")}
    assert len(get(url, "/v1/facets", field=field, limit=2)[1]["data"]) == 2


def test_a_facets_value_finds_its_events(url):
    for value in get(url, "/v1/facets", field="actor", limit=5)[1]["data"]:
        found = get(url, "/v1/facets", field="source", actor=value["value"])[1]["data"]
        assert sum(other["events"] for other in found) >= value["events"]


@pytest.mark.parametrize("tz", ["UTC", "Europe/Berlin", "Asia/Kathmandu"])
@pytest.mark.parametrize("params", [{}, {"from": "2026-03-03", "to": "2026-03-05T11:00:00Z"}, {"from": "2026-03-09"}])
def test_a_histogram_counts_every_event_once_in_its_time_zone(url, data, tz, params):
    status, answer = get(url, "/v1/histogram", tz=tz, buckets=24, action="login", **params)
    assert status == 200
    filter_ = parse(params.items())
    times = [
        row["occurred_at"]
        for row in data
        if row["action"] == "login"
        and (filter_.since is None or row["occurred_at"] >= filter_.since)
        and (filter_.until is None or row["occurred_at"] < filter_.until)
    ]
    assert answer["events"] == len(times)
    assert 2 <= len(answer["data"]) <= 26
    for start, end in zip(answer["data"], answer["data"][1:], strict=False):
        assert start["end"] == end["start"]
    for bucket in answer["data"]:
        start, end = (datetime.fromisoformat(bucket[name]) for name in ("start", "end"))
        assert bucket["events"] == sum(start <= one < end for one in times)
        if answer["interval"] == "P1D":
            assert start.astimezone(ZoneInfo(tz)).hour == 0


def test_a_histogram_without_events(url):
    assert get(url, "/v1/histogram", action="nothing such")[1]["data"] == []
    answer = get(url, "/v1/histogram", **{"action": "nothing such", "from": "2026-03-01", "to": "2026-03-02"})[1]
    assert (answer["events"], answer["interval"], len(answer["data"])) == (0, "PT30M", 48)


@pytest.mark.parametrize("tz", ["UTC", "Pacific/Auckland"])
def test_stats_count_today_and_the_week_in_the_time_zone(reader, data, tz):
    zone = ZoneInfo(tz)
    stats = summaries_of(reader).stats(ACME, Filter(), zone=zone, now=NOW)
    midnight = NOW.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    week = [row for row in data if row["occurred_at"] >= NOW - timedelta(days=7)]
    assert stats.today == sum(row["occurred_at"] >= midnight for row in week)
    assert stats.events == len(week)
    assert stats.severe == sum(row["severity"] in ("High", "Critical", "Error") for row in week)
    assert [one.model_dump() for one in stats.actions] == counted(row["action"] for row in week)
    top = [one["value"] for one in counted(row["actor_name"] or row["actor_id"] for row in week)[:10]]
    assert sorted(one.value for one in stats.actors) == sorted(top)
    for one in stats.actors:  # equals the number that the filter finds, by name or id
        assert one.events == sum(one.value in (row["actor_name"], row["actor_id"]) for row in week)
    some = summaries_of(reader).stats(ACME, parse([("action", "login")]), zone=zone, now=NOW)
    assert [one.value for one in some.actions] == ["login"]


def test_stats_count_the_time_range_of_the_filter(url, data):
    params = {"from": "2026-03-02", "to": "2026-03-05T11:00:00Z"}
    filter_ = parse(params.items())
    rows = [row for row in data if filter_.since <= row["occurred_at"] < filter_.until]
    stats = get(url, "/v1/stats", **params)[1]
    assert rows
    assert (stats["events"], stats["actions"]) == (len(rows), counted(row["action"] for row in rows))
    for one in stats["actors"]:
        found = get(url, "/v1/facets", field="source", actor=one["value"], **params)[1]["data"]
        assert one["events"] == sum(other["events"] for other in found)


def test_stats_have_the_documented_keys_over_http(url):
    status, answer = get(url, "/v1/stats", tz="Europe/Berlin")
    assert status == 200
    assert {"tz", "today", "events", "severe", "before", "actions", "actors"} == answer.keys()


def test_a_summary_uses_no_more_threads_than_clickhouse_has_cores(reader, filled):
    default = filled.client.query("SELECT default FROM system.settings WHERE name = 'max_threads'").result_rows[0][0]
    cores = int("".join(filter(str.isdigit, default)))
    sql = f"SELECT any(getSetting('max_threads')) AS threads FROM {{database:Identifier}}.{EVENTS}"
    for is_summary, threads in ((True, min(cores, Limits().threads)), (False, Limits().threads)):
        statement = Statement(sql, {"database": filled.database}, {}, is_summary=is_summary)
        assert reader.executor.rows(statement, "acme") == [{"threads": threads}]


def test_other_tenants_are_not_counted(url):
    assert sum(one["events"] for one in get(url, "/v1/facets", "globex", field="action")[1]["data"]) == 20
    assert get(url, "/v1/histogram", "globex")[1]["events"] == 20


@pytest.mark.parametrize(
    ("path", "fields", "field"),
    [
        ("/v1/facets", {}, "field"),
        ("/v1/facets", {"field": "actn"}, "field"),
        ("/v1/facets", {"field": "tenant_id"}, "field"),
        ("/v1/facets", {"field": "occurred_at"}, "field"),
        ("/v1/facets", {"field": "action", "limit": "0"}, "limit"),
        ("/v1/histogram", {"tz": "Mars/Olympus"}, "tz"),
        ("/v1/histogram", {"tz": "../../etc/passwd"}, "tz"),
        ("/v1/histogram", {"buckets": "501"}, "buckets"),
        ("/v1/stats", {"query": "("}, "query"),
    ],
)
def test_an_invalid_summary_request_names_its_field(url, path, fields, field):
    status, problem = get(url, path, **fields)
    assert (status, problem["code"], problem["field"]) == (400, "FILTER_INVALID", field)
    assert problem["fix"]


def test_a_query_that_reads_too_much_is_rejected(filled):
    small = Reader(filled.settings, Limits(rows_read=100))
    with pytest.raises(QueryTooLarge, match="rows"):
        small.count(ACME, Filter())
    small.close()


def test_a_tenant_with_too_many_concurrent_queries_is_rejected(filled):
    concurrency = TenantConcurrency(2)
    limited = Reader(filled.settings, concurrency=concurrency)
    with concurrency.slot("acme"), concurrency.slot("acme"):
        with pytest.raises(RateLimited):
            limited.count(ACME, Filter())
        assert limited.count(TenantScope.for_operator("globex"), Filter()) == 20
        with served(limited) as address:
            answer = urllib3.request("GET", f"{address}/v1/stats", headers={TENANT_HEADER: "acme"}, retries=False)
            assert (answer.status, answer.json()["code"]) == (429, "RATE_LIMITED")
            assert int(answer.headers["Retry-After"]) >= 1
    assert limited.count(ACME, Filter()) == ROWS
    assert concurrency._running == {}
    limited.close()
