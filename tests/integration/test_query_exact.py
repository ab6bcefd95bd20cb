"""Tests that every route returns exactly what the definition says: each identity once, as the copy that first reached
Kafka.

A data set has late events, conflicts, and copies that differ in the values that the gateway may fill in. They span the
end of a month, and are in inserts that ClickHouse merges in the meantime. Each data set is a separate tenant.
"""

from __future__ import annotations

import itertools
import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from querying import Store, event, store, summaries_of

from auditlane.access.scope import TenantScope
from auditlane.contract.provenance import TRAIL
from auditlane.contract.vocabulary import ACCESS_ACTIONS
from auditlane.query import page_rows, windows
from auditlane.query.clickhouse.statements import Statement
from auditlane.query.fields import BASE
from auditlane.query.filters import parse
from auditlane.query.language.tree import Field
from auditlane.query.reader import Reader
from auditlane.query.sort import NEWEST, Sort
from auditlane.query.summary.summaries import Summaries

MONTHS = (202603, 202604)
MONTH_END = datetime(2026, 3, 31, 23, 59, 59, 999_998, tzinfo=UTC)
EVENTS = 25
Row = dict[str, Any]
# Filters on values that copies share, and on values that may differ: request_id, source, fields, provenance.
FILTERS: list[tuple[list[tuple[str, str]], Callable[[Row], bool]]] = [
    ([], lambda row: True),
    ([("action", "login")], lambda row: row["action"] == "login"),
    ([("actor", "u-1")], lambda row: "u-1" in (row["actor_id"], row["actor_name"])),
    ([("resource_id", "d-1")], lambda row: row["resource_id"] == "d-1"),
    ([("ip", "10.0.0.1")], lambda row: row["ip"] is not None),
    ([("request_id", "r-1")], lambda row: row["request_id"] == "r-1"),
    ([("request_id", "")], lambda row: not row["request_id"]),
    ([("source", "gateway")], lambda row: row["source"] == "gateway"),
    (
        [("provenance", "kafka"), ("action", "login")],
        lambda row: (row["provenance"], row["action"]) == ("kafka", "login"),
    ),
    ([("metadata.region", "eu")], lambda row: row["metadata"].get("region") == "eu"),
    ([("fields.note", "a")], lambda row: row["fields"].get("note") == "a"),
    (
        [("query", "action:login fields.note:a outcome:failure")],
        lambda row: (row["action"], row["fields"].get("note"), row["outcome"]) == ("login", "a", "failure"),
    ),
    ([("q", "r-2")], lambda row: row["request_id"] == "r-2"),
    ([("query", "-request_id:r-1 action:login")], lambda row: row["request_id"] != "r-1" and row["action"] == "login"),
    (
        [("query", "fields.note:a OR actor:u-2")],
        lambda row: row["fields"].get("note") == "a" or row["actor_id"] == "u-2",
    ),
]
DEFINITION = (
    "SELECT *, toUnixTimestamp64Micro(occurred_at) AS us, hex(content_hash) AS content, toString(outcome) AS outcome"
    " FROM {database:Identifier}.events WHERE tenant_id = {tenant:String}"
    " ORDER BY first_wins DESC LIMIT 1 BY tenant_id, occurred_at, event_id, content_hash"
)


def data_set(tenant: str, chance: random.Random) -> list[list[Row]]:
    """Return the rows of several inserts. Events with the same time and id may differ in content, and each content may
    have several copies.
    """
    offsets = itertools.count(1)
    rows: list[Row] = []
    for number in range(EVENTS):
        at = MONTH_END + timedelta(microseconds=chance.randrange(5))
        for _ in range(chance.choice([1, 1, 1, 2])):
            trail = chance.random() < 0.1
            content = {
                "action": min(ACCESS_ACTIONS) if trail else chance.choice(["login", "logout"]),
                "actor_id": f"u-{chance.randrange(4)}",
                "actor_name": chance.choice([None, "u-1"]),
                "resource_id": chance.choice([None, "d-1"]),
                "outcome": chance.choice(["success", "failure"]),
                "severity": chance.choice(["Info", "High"]),
                "ip": chance.choice([None, "::ffff:10.0.0.1"]),
                "metadata": chance.choice([{}, {"region": "eu"}]),
                "occurred_at": at,
            }
            for _ in range(chance.choice([1, 1, 2, 4])):
                sent = MONTH_END + timedelta(milliseconds=chance.randrange(50))
                rows.append(event(number, tenant, **content) | copy_of(chance, next(offsets), sent, trail=trail))
    chance.shuffle(rows)
    cuts = sorted(chance.sample(range(1, len(rows)), 3))
    return [rows[a:b] for a, b in itertools.pairwise([0, *cuts, len(rows)])]


def copy_of(chance: random.Random, offset: int, sent: datetime, *, trail: bool) -> Row:
    """Return the columns in which an event's copies may differ. In auditlane's own audit trail, all copies have the
    same source.
    """
    return {
        "kafka_offset": offset,
        "kafka_timestamp": sent,
        "request_id": chance.choice([None, "r-1", "r-2"]),
        "source": TRAIL if trail else chance.choice(["billing", "gateway"]),
        "fields": chance.choice([{}, {"note": "a"}]),
        "provenance": chance.choice(["kafka", "gateway"]),
        "defaulted": ["request_id", "note"] if trail else ["request_id", "source", "note"],
    }


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        yield made


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the limits so that a small search spans several windows and each page reads more rows than it shows."""
    monkeypatch.setattr(page_rows, "PROBE_ROWS", 6)
    monkeypatch.setattr(windows, "PROBE_ROWS", 6)
    monkeypatch.setattr(windows, "_GROWTH", 2.0)
    monkeypatch.setattr(page_rows, "_SPARE_ROWS", 1)


@pytest.mark.parametrize(
    "seed",
    [
        *range(3),
        *(
            pytest.param(range(at, at + 100), marks=[pytest.mark.long, pytest.mark.timeout(1_800)])
            for at in range(3, 1_003, 100)
        ),
    ],
)
def test_every_route_returns_the_plain_definition(
    filled: Store, small: None, monkeypatch: pytest.MonkeyPatch, seed: int | range
) -> None:
    reader = Reader(filled.settings)
    try:
        for number in [seed] if isinstance(seed, int) else seed:
            # One window per page, or all windows.
            monkeypatch.setattr(page_rows, "SEARCH_S", 0.0 if number % 3 == 0 else 600.0)
            _check(filled, reader, number)
    finally:
        reader.close()


def _check(filled: Store, reader: Reader, seed: int) -> None:
    chance = random.Random(seed)
    tenant = f"set-{seed}"
    for rows in data_set(tenant, chance):
        filled.add(rows)
        if chance.random() < 0.3:
            filled.client.command(f"OPTIMIZE TABLE {filled.database}.events")
    if chance.random() < 0.5:
        filled.client.command(f"OPTIMIZE TABLE {filled.database}.events PARTITION {chance.choice(MONTHS)} FINAL")
    _check_routes(filled, reader, tenant, chance, f"set {seed}")


def _check_routes(filled: Store, reader: Reader, tenant: str, chance: random.Random, name: str) -> None:
    scope = TenantScope.for_operator(tenant)
    parameters = {"database": filled.database, "tenant": tenant}
    defined = list(filled.client.query(DEFINITION, parameters=parameters).named_results())
    keys = Counter((row["us"], row["event_id"]) for row in defined)
    for pairs, matches in chance.sample(FILTERS, 3):
        with_access = chance.random() < 0.5
        filter_ = parse([*pairs, ("include_access", str(with_access).lower())])
        expected = [row for row in defined if matches(row) and (with_access or row["source"] != TRAIL)]
        about = f"{name}, {pairs}"
        sort = chance.choice([NEWEST, Sort(NEWEST.field, descending=False), Sort(Field("source", BASE["source"]))])
        limit = chance.choice([5, 12, 50])
        _check_pages(reader, scope, filter_, sort, limit, expected, keys, about)
        assert reader.count(scope, filter_) == len(expected), about
    _check_histogram(reader, scope, defined, name)
    pairs, matches = chance.choice(FILTERS)
    expected = [row for row in defined if matches(row) and row["source"] != TRAIL]
    _check_summaries(filled, reader, scope, pairs, expected, f"{name}, {pairs}")


def _check_pages(
    reader: Reader,
    scope: TenantScope,
    filter_: Any,
    sort: Sort,
    limit: int,
    expected: list[Row],
    keys: Counter[Any],
    about: str,
) -> None:
    found: list[Any] = []
    position = None
    while True:
        page = reader.page(scope, filter_, limit=limit, position=position, sort=sort)
        found += page.events
        if page.older is None:
            break
        position = page.older
    shown = Counter((one.event_id, one.content_hash, one.request_id, one.source, one.provenance_id) for one in found)
    wanted = Counter(
        (str(row["event_id"]), row["content"].lower(), row["request_id"], row["source"], row["provenance_id"])
        for row in expected
    )
    assert shown == wanted, about
    if sort.by_time:
        times = [one.occurred_at for one in found]
        assert times == sorted(times, reverse=sort.descending), about
    conflicts = {str(row["event_id"]) for row in expected if keys[row["us"], row["event_id"]] > 1}
    assert {one.event_id for one in found if one.conflict} == conflicts, about


def _check_histogram(reader: Reader, scope: TenantScope, defined: list[Row], name: str) -> None:
    """Check a histogram that counts rows where it can, of the second before the end of the month and the one after."""
    summaries = Summaries(reader.executor, reader.database, rows_per_count=0)
    for with_access in (True, False):
        filter_ = parse([("include_access", str(with_access).lower())])
        histogram = summaries.histogram(scope, filter_, zone=ZoneInfo("UTC"), max_buckets=10)
        expected = Counter(f"{row['occurred_at']:%H:%M:%S}" for row in defined if with_access or row["source"] != TRAIL)
        assert {bucket.start[11:19]: bucket.events for bucket in histogram.data} == expected, f"{name}, {with_access}"


def _check_summaries(
    filled: Store, reader: Reader, scope: TenantScope, pairs: Any, expected: list[Row], about: str
) -> None:
    summaries = summaries_of(reader)
    filter_ = parse(pairs)
    zone, now = ZoneInfo("UTC"), MONTH_END + timedelta(days=1)
    for name in ("action", "source", "request_id"):
        field = Field(name, BASE[name])
        facet = summaries.facet(scope, filter_, field, limit=10)
        counted = {count.value: count.events for count in facet.data}
        assert counted == Counter(row[name] or None for row in expected), f"{about}, {name}"
        groups = summaries.groups(scope, filter_, field, zone=zone, limit=10, max_buckets=10, compare=False, now=now)
        grouped = {group.value: group.events for group in groups.data}
        assert grouped | ({None: groups.none.events} if groups.none.events else {}) == counted, f"{about}, {name}"
    histogram = summaries.histogram(scope, filter_, zone=zone, max_buckets=10)
    assert histogram.events == len(expected), about
    if histogram.data:
        times = sorted(row["occurred_at"].replace(tzinfo=UTC) for row in expected)
        for at, bucket in ((times[0], histogram.data[0]), (times[-1], histogram.data[-1])):
            assert datetime.fromisoformat(bucket.start) <= at < datetime.fromisoformat(bucket.end), about
    stats = summaries.stats(scope, filter_, zone=zone, now=now)
    assert (stats.events, stats.severe) == (len(expected), sum(row["severity"] == "High" for row in expected)), about
    assert {count.value: count.events for count in stats.actions} == Counter(row["action"] for row in expected), about
    [first] = expected[:1] or [None]
    if first is not None:
        one = reader.event(scope, str(first["event_id"]), first["content"].lower())
        assert (one.request_id, one.source) == (first["request_id"], first["source"]), about


def test_every_route_is_exact_while_later_copies_are_stored_and_merged(filled: Store, small: None) -> None:
    """Readers see the same result, however many later copies there are and whichever of them have been merged."""
    chance, tenant = random.Random(7), uuid.uuid4().hex
    sets = data_set(tenant, chance)
    filled.add([row for rows in sets for row in rows])
    reader, writing, ended = Reader(filled.settings), threading.Event(), threading.Event()

    def write() -> None:
        other, offsets = Store(filled.settings.clickhouse_url, filled.database), itertools.count(1_000)
        late = random.Random(8)
        while not ended.is_set():
            rows = late.sample(sets[0] + sets[-1], 5)
            sent = MONTH_END + timedelta(seconds=1)
            other.add([row | copy_of(late, next(offsets), sent, trail=row["source"] == TRAIL) for row in rows])
            other.client.command(f"OPTIMIZE TABLE {other.database}.events PARTITION {late.choice(MONTHS)}")
            writing.set()
        other.client.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert writing.wait(60)
        for turn in range(5):
            _check_routes(filled, reader, tenant, chance, f"turn {turn}")
    finally:
        ended.set()
        writer.join()
        reader.close()


def test_a_histogram_counts_rows_only_where_there_are_no_copies(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a merged month, it counts rows without reading their times, and in the other it compares copies. A copy that
    arrives after it has decided is not counted.
    """
    tenant, months = uuid.uuid4().hex, ("2025-03-01", "2025-04-01")
    rows = [
        event(number, tenant, occurred_at=datetime.fromisoformat(f"{month}T12:00Z"))
        | {"source": source, "action": action}
        for month in months
        for number, (source, action) in enumerate([("billing", "login")] * 3 + [(TRAIL, min(ACCESS_ACTIONS))])
    ]
    for _ in range(2):
        filled.add(rows)
    filled.client.command(f"OPTIMIZE TABLE {filled.database}.events PARTITION 202503 FINAL")
    reader, statements, late = Reader(filled.settings), list[str](), list[Row]()
    run = reader.executor.rows

    def rows_of(statement: Statement, *arguments: Any) -> list[dict[str, Any]]:
        statements.append(statement.sql)
        if "roundDown" in statement.sql and late:
            filled.add([late.pop()])
        return run(statement, *arguments)

    monkeypatch.setattr(reader.executor, "rows", rows_of)
    summaries = Summaries(reader.executor, reader.database, rows_per_count=0)

    def counts() -> list[int]:
        histogram = summaries.histogram(
            TenantScope.for_operator(tenant), parse([]), zone=ZoneInfo("UTC"), max_buckets=2
        )
        return [bucket.events for bucket in histogram.data]

    assert counts() == [3, 3]
    assert "_part" in statements[-1]
    late.append(rows[0])
    assert counts() == [3, 3]
    assert not late
    assert "_part" not in statements[-1]
    reader.close()


def test_a_search_in_many_windows_reads_each_event_once(
    filled: Store, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No event is lost or repeated at the boundary between two windows, in either direction."""
    scope = TenantScope.for_operator(uuid.uuid4().hex)
    rows = [event(n, scope.tenant, occurred_at=MONTH_END + timedelta(seconds=n // 3)) for n in range(40)]
    filled.add(rows)
    monkeypatch.setattr(page_rows, "SEARCH_S", 0.0)
    reader = Reader(filled.settings)
    filter_ = parse([("action", "login")])
    found, page = [], reader.page(scope, filter_, limit=9)
    found += page.events
    while page.older is not None:
        page = reader.page(scope, filter_, limit=9, position=page.older)
        found += page.events
    assert len(found) == len({one.event_id for one in found}) == 40
    back = list(page.events)
    while page.newer is not None:
        page = reader.page(scope, filter_, limit=9, position=page.newer)
        back = page.events + back
    assert [one.event_id for one in back] == [one.event_id for one in found]
    reader.close()
