"""Tests grouping by a field over time, and comparing groups with the preceding period, on a real ClickHouse. The
expected numbers come from simple SQL over 100,000 generated events.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import urllib3
from querying import TENANT_HEADER, TOPIC_ID, Store, event, served, store, summaries_of

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.executor import Limits
from auditlane.query.fields import find
from auditlane.query.filters import parse
from auditlane.query.reader import Reader

ROWS = 100_000
UTC_ZONE = ZoneInfo("UTC")
FROM, TO = datetime(2026, 3, 10, tzinfo=UTC), datetime(2026, 3, 20, 9, 30, tzinfo=UTC)
PERIOD = {"from": FROM.isoformat(), "to": TO.isoformat()}
BEFORE = FROM - (TO - FROM)
ACCESS = (
    "'audit_log.viewed', 'audit_log.viewed_as_tenant', 'audit_log.exported', 'export.requested', 'export.removed',"
    " 'viewer_token.issued', 'link.issued', 'link.opened'"
)
SHOWN = f"NOT (source = 'auditlane' AND action IN ({ACCESS}))"
ACTOR = "if(ifNull(actor_name, '') = '', actor_id, assumeNotNull(actor_name))"
# Each field's value in SQL, which is empty for an event without a value.
FIELDS = {
    "action": "action",
    "actor": ACTOR,
    "resource_id": "ifNull(resource_id, '')",
    "outcome": "toString(outcome)",
    "ip": "if(ip IS NULL, '', replaceOne(toString(ip), '::ffff:', ''))",
    "source": "source",
    "metadata.region": "metadata['region']",
    "fields.plan": "fields['plan']",
}


def generate(made: Store) -> None:
    """Insert 100,000 events over 40 days.

    They include names that are also ids, values that appear or disappear on March 10, access to the log, custom fields,
    and events without values. One event in ten is stored a second time, as a copy that reached Kafka later.
    """
    action = (
        "multiIf(r % 23 = 0, 'link.opened', r % 29 = 0, 'access.denied', r % 7 = 0,"
        " if(at >= toDateTime64('2026-03-10 00:00:00', 6, 'UTC'), 'plan.new', 'plan.old'),"
        " concat('act ', toString(r % 31), '\"'))"
    )
    columns = (
        ("tenant_id", "'acme'"),
        ("occurred_at", "at"),
        ("event_id", "reinterpretAsUUID(sipHash128(number))"),
        ("action", action),
        ("actor_id", "concat('u-', toString(r % 40))"),
        ("actor_name", "multiIf(r % 5 = 0, NULL, r % 5 = 1, '', r % 5 = 2, concat('u-', toString(r % 3)), 'Jane')"),
        ("resource_id", "if(r % 3 = 0, NULL, toString(intDiv(r, 1000) % 3000))"),
        ("outcome", "['success', 'failure', 'denied'][r % 3 + 1]"),
        ("severity", "['Info', 'High', 'Error', 'Low'][r % 4 + 1]"),
        ("ip", "if(r % 11 = 0, NULL, toIPv6(concat('10.0.0.', toString(r % 17))))"),
        ("source", "if(r % 23 = 0 AND r % 2 = 0 OR r % 29 = 0, 'auditlane', concat('s', toString(r % 3)))"),
        ("metadata", "if(r % 2 = 0, map(), map('region', concat('r', toString(r % 15))))"),
        ("fields", "if(r % 4 = 0, map(), map('plan', ['free', 'pro \\'x\\'', 'a:b'][r % 3 + 1]))"),
        ("ingested_at", "now64(3)"),
        ("kafka_topic_id", f"toUUID('{TOPIC_ID}')"),
        ("kafka_partition", "1"),
        ("kafka_offset", "number + copy * 1000000"),
        ("kafka_timestamp", "at + toIntervalSecond(copy)"),
    )
    for copy in (0, 1):
        made.client.command(
            f"INSERT INTO {made.database}.events ({', '.join(name for name, _ in columns)})"
            f" SELECT {', '.join(value for _, value in columns)} FROM (SELECT number, {copy} AS copy,"
            " sipHash64(number, 'x') AS r, toDateTime64('2026-02-20 00:00:00', 6, 'UTC')"
            " + toIntervalMicrosecond(sipHash64(number, 'at') % (40 * 86400 * 1000000)) AS at"
            f" FROM numbers({ROWS}) WHERE number % 10 = 0 OR {copy} = 0)",
            settings={"insert_deduplication_token": uuid.uuid4().hex},
        )


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        generate(made)
        made.add([event(number, "globex", occurred_at=FROM, action="other") for number in range(20)])
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


def get(url: str, path: str, tenant: str = "acme", status: int = 200, **fields: Any) -> Any:
    answer = urllib3.request("GET", url + path, fields=fields, headers={TENANT_HEADER: tenant}, retries=False)
    assert answer.status == status, answer.data
    return json.loads(answer.data)


def once(filled: Store) -> str:
    """Return simple SQL for a table that contains each event once, without using the service's view."""
    return (
        f"(SELECT * FROM {filled.database}.events WHERE tenant_id = 'acme'"
        " ORDER BY kafka_timestamp LIMIT 1 BY occurred_at, event_id, content_hash)"
    )


def at(moment: datetime) -> str:
    return f"toDateTime64('{moment:%Y-%m-%d %H:%M:%S}', 6, 'UTC')"


def rows(filled: Store, value: str, condition: str = SHOWN) -> dict[str, tuple[int, int]]:
    """Return the number of events per value in the period and in the preceding one, from simple SQL."""
    sql = (
        f"SELECT {value} AS value, countIf(occurred_at >= {at(FROM)}), countIf(occurred_at < {at(FROM)})"
        f" FROM {once(filled)} WHERE occurred_at >= {at(BEFORE)} AND occurred_at < {at(TO)} AND {condition}"
        " GROUP BY value"
    )
    return {text: (now, then) for text, now, then in filled.client.query(sql).result_rows}


@pytest.mark.parametrize(
    ("field", "include_access"), [*((field, False) for field in FIELDS), ("action", True), ("source", True)]
)
def test_groups_and_their_comparison_agree_with_sql(filled, url, field, include_access):
    condition = "true" if include_access else SHOWN
    wanted = rows(filled, FIELDS[field], condition)
    none = wanted.pop("", (0, 0))
    ranked = sorted(wanted, key=lambda value: (-max(wanted[value]), -wanted[value][0], value.encode()))
    top, rest = ranked[:6], [wanted[value] for value in ranked[6:]]
    included = {"include_access": "true"} if include_access else {}
    found = get(url, "/v1/stats/groups", field=field, limit=6, buckets=20, compare="true", **PERIOD, **included)
    shown = {group["value"]: (group["events"], group["before"]) for group in found["data"]}
    assert shown == {value: wanted[value] for value in top}
    assert [*shown] == sorted(top, key=lambda value: (-wanted[value][0], -wanted[value][1], value.encode()))
    assert (found["none"]["events"], found["none"]["before"]) == none
    sums = tuple(sum(one[place] for one in rest) for place in (0, 1))
    assert (found["others"]["events"], found["others"]["before"]) == sums
    assert found["values"] == len(wanted)
    assert found["new"] == sum(then == 0 for _, then in wanted.values())
    assert found["vanished"] == sum(now == 0 for now, _ in wanted.values())
    totals = [sum(pair[place] for pair in (*wanted.values(), none)) for place in (0, 1)]
    assert [found["events"], found["before"]["events"]] == totals
    assert [datetime.fromisoformat(found["before"][name]) for name in ("start", "end")] == [BEFORE, FROM]
    for group in (*found["data"], found["others"], found["none"]):
        assert sum(group["counts"]) == group["events"]
        assert len(group["counts"]) == len(found["buckets"])
    # Each group's query finds exactly its events, both in the period and in the preceding one.
    before = {"from": found["before"]["start"], "to": found["before"]["end"]}
    for group in (*found["data"], found["others"], found["none"]):
        for period, events in ((PERIOD, group["events"]), (before, group["before"])):
            counted = get(url, "/v1/histogram", query=group["query"], buckets=1, **period, **included)
            assert counted["events"] == events, group["query"]


def test_copies_and_values_that_appear_and_vanish_are_among_the_events(filled, url):
    table = filled.client.query(f"SELECT count() FROM {filled.database}.events WHERE tenant_id = 'acme'")
    assert table.result_rows[0][0] > 1.09 * ROWS
    assert filled.client.query(f"SELECT count() FROM {once(filled)}").result_rows == [(ROWS,)]
    found = get(url, "/v1/stats/groups", field="action", limit=2, compare="true", **PERIOD)
    assert [(group["value"], group["before"] == 0, group["events"] == 0) for group in found["data"]] == [
        ("plan.new", True, False),
        ("plan.old", False, True),
    ]
    assert (found["new"], found["vanished"]) == (1, 1)


def test_the_counts_over_time_agree_with_sql(filled, url):
    params = {"query": "-outcome:denied", "tz": "Europe/Berlin", **PERIOD}
    found = get(url, "/v1/stats/groups", field="action", limit=4, buckets=12, **params)
    assert found["interval"] == "P1D"
    assert found["before"] is None
    assert len(found["buckets"]) == 11
    sql = (
        f"SELECT action, toString(toDate(occurred_at, 'Europe/Berlin')), count() FROM {once(filled)}"
        f" WHERE occurred_at >= {at(FROM)} AND occurred_at < {at(TO)} AND {SHOWN} AND outcome != 'denied' GROUP BY ALL"
    )
    wanted = {(action, day): count for action, day, count in filled.client.query(sql).result_rows}
    days = [f"2026-03-{day}" for day in range(10, 21)]
    top = [group["value"] for group in found["data"]]
    for group in found["data"]:
        assert group["counts"] == [wanted.get((group["value"], day), 0) for day in days]
        assert group["before"] is None
    rest = [sum(count for (action, of), count in wanted.items() if of == day and action not in top) for day in days]
    assert found["others"]["counts"] == rest
    whole = get(url, "/v1/histogram", buckets=12, **params)
    assert [(one["start"], one["end"]) for one in whole["data"]] == [
        (one["start"], one["end"]) for one in found["buckets"]
    ]
    counts = [group["counts"] for group in (*found["data"], found["others"], found["none"])]
    assert [one["events"] for one in whole["data"]] == [sum(column) for column in zip(*counts, strict=True)]


def test_the_figures_of_the_period_before_agree_with_sql(filled, url):
    severe = rows(filled, "toString(severity IN ('High', 'Critical', 'Error'))")
    found = get(url, "/v1/stats", compare="true", **PERIOD)
    assert (found["severe"], found["before"]["severe"]) == severe["1"]
    assert found["events"] == severe["1"][0] + severe["0"][0]
    assert found["before"]["events"] == severe["1"][1] + severe["0"][1]
    assert datetime.fromisoformat(found["before"]["start"]) == BEFORE
    plain = get(url, "/v1/stats", **PERIOD)
    assert plain == found | {"before": None}


@pytest.mark.parametrize("now", [FROM + timedelta(days=3), FROM + timedelta(days=365)])
def test_an_open_end_is_now_or_the_last_event(reader, url, now):
    scope = TenantScope.for_operator("acme")
    filter_ = parse([("from", FROM.isoformat())])
    found = summaries_of(reader).groups(
        scope, filter_, find("action", {}), zone=UTC_ZONE, limit=3, max_buckets=10, compare=True, now=now
    )
    assert found.events == get(url, "/v1/histogram", buckets=1, **{"from": FROM.isoformat()})["events"]
    assert datetime.fromisoformat(found.before.start) == FROM - (now - FROM)
    assert datetime.fromisoformat(found.buckets[-1].end) >= max(now, datetime(2026, 3, 31, 23, tzinfo=UTC))
    whole = summaries_of(reader).groups(
        scope, parse([]), find("action", {}), zone=UTC_ZONE, limit=3, max_buckets=10, compare=False, now=now
    )
    assert whole.events == get(url, "/v1/histogram", buckets=1)["events"]


def test_other_tenants_are_not_counted(url):
    found = get(url, "/v1/stats/groups", "globex", field="action", compare="true", **PERIOD)
    assert [(group["value"], group["events"]) for group in found["data"]] == [("other", 20)]
    assert (found["events"], found["others"]["events"], found["none"]["events"]) == (20, 0, 0)
    assert get(url, "/v1/stats", "globex", compare="true", **PERIOD)["before"]["events"] == 0


def test_a_filter_that_finds_nothing_has_no_groups(url):
    found = get(url, "/v1/stats/groups", field="ip", action="nothing such", compare="true", **PERIOD)
    assert (found["events"], found["before"]["events"], found["data"], found["values"]) == (0, 0, [], 0)
    assert found["others"] | {"counts": []} == {"events": 0, "before": 0, "counts": [], "query": "ip:*"}
    assert found["none"]["query"] == "-ip:*"
    assert get(url, "/v1/stats/groups", field="ip", action="nothing such")["events"] == 0


@pytest.mark.parametrize(
    ("path", "params", "field"),
    [
        ("/v1/stats/groups", {}, "field"),
        ("/v1/stats/groups", {"field": "actn"}, "field"),
        ("/v1/stats/groups", {"field": "occurred_at"}, "field"),
        ("/v1/stats/groups", {"field": "action", "limit": "21"}, "limit"),
        ("/v1/stats/groups", {"field": "action", "buckets": "501"}, "buckets"),
        ("/v1/stats/groups", {"field": "action", "tz": "Mars/Olympus"}, "tz"),
        ("/v1/stats/groups", {"field": "action", "compare": "yes", **PERIOD}, "compare"),
        ("/v1/stats/groups", {"field": "action", "compare": "true"}, "compare"),
        ("/v1/stats/groups", {"field": "action", "query": "("}, "query"),
        ("/v1/stats/groups", {"field": "action", "sort": "action"}, "sort"),
        ("/v1/stats", {"compare": "true", "to": "2026-03-01"}, "compare"),
        ("/v1/stats", {"compare": "true", "from": "2299-01-01"}, "compare"),
    ],
)
def test_an_invalid_request_names_its_field(url, path, params, field):
    problem = get(url, path, status=400, **params)
    assert (problem["code"], problem["field"]) == ("FILTER_INVALID", field)
    assert problem["fix"]


def test_groups_that_read_too_much_are_rejected(filled):
    small = Reader(filled.settings, Limits(rows_read=100))
    with served(small) as address:
        problem = get(address, "/v1/stats/groups", status=400, field="action")
        assert (problem["code"], problem["detail"]) == (
            "QUERY_TOO_LARGE",
            "The query exceeded its limit of rows to read.",
        )
    small.close()
