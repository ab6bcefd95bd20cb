"""Tests live streams on the real engine. Each event is sent once, regardless of the order of the inserts and of how
often the client reconnects.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import querying
from fastapi import Request
from querying import TENANT_HEADER, Store, event, hub_of, mac, served, store

from auditlane.access.scope import TenantScope
from auditlane.query.filters import Filter, parse
from auditlane.query.live import follow, poll, sql
from auditlane.query.live.hub import StreamHub
from auditlane.query.live.resume_token import ResumeTokens, StreamPosition
from auditlane.query.live.seen_offsets import SeenOffsets
from auditlane.query.live.subscription import Subscription
from auditlane.query.reader import Reader
from auditlane.runtime.errors import QueryTooLarge, StoreUnavailable, TokenExpired
from auditlane.runtime.settings import load

WAIT_S = 30.0


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        made.settings = load(
            clickhouse_url=clickhouse, clickhouse_database=made.database, stream_poll_s=0.05, streams_per_tenant=3
        )
        yield made


@pytest.fixture(scope="module")
def reader(filled: Store) -> Iterator[Reader]:
    made = Reader(filled.settings)
    yield made
    made.close()


@pytest.fixture(scope="module")
def url(filled: Store, reader: Reader) -> Iterator[str]:
    with served(reader, settings=filled.settings) as address:
        yield address


def new(number: int, tenant: str, **values: Any) -> dict[str, Any]:
    """Return an event that was ingested just now, in a topic that only its tenant uses."""
    topic = uuid.uuid5(uuid.NAMESPACE_OID, tenant)
    return event(number, tenant, **{"ingested_at": datetime.now(UTC), "kafka_topic_id": topic} | values)


class Stream:
    """A client that reads server-sent events."""

    def __init__(self, url: str, tenant: str, last: str = "", **fields: str) -> None:
        at = urlsplit(url)
        self.connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=WAIT_S)
        headers = {TENANT_HEADER: tenant} | ({"Last-Event-ID": last} if last else {})
        self.connection.request("GET", f"/v1/events/stream?{urlencode(fields)}", headers=headers)
        self.answer = self.connection.getresponse()
        self.last = last

    def next(self) -> tuple[str, Any] | None:
        """Return the type and data of the next event that has data, or None at the end of the stream."""
        kind, data = "", ""
        while line := self.answer.readline().decode():
            name, _, value = line.rstrip("\n").partition(": ")
            if name == "id":
                self.last = value
            elif name == "event":
                kind = value
            elif name == "data":
                data = value
            elif not line.strip() and data:
                return kind, json.loads(data)
            elif not line.strip():
                kind = ""
        return None

    def actors(self, count: int) -> list[str]:
        found = []
        while len(found) < count:
            item = self.next()
            assert item is not None
            assert item[0] == "event", item
            found.append(item[1]["actor_id"])
        return found

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def begun(stream: Stream) -> Stream:
    """Wait until the stream has sent its start position, and return the stream."""
    while not stream.last:
        line = stream.answer.readline().decode()
        assert line
        if line.startswith("id: "):
            stream.last = line[4:].strip()
    return stream


def people(*numbers: int) -> list[str]:
    return [f"u-{number}" for number in numbers]


def test_stored_events_arrive_once_and_filtered(filled, url):
    filled.add([new(number, "live") for number in range(3)])
    stream = begun(Stream(url, "live"))
    some = begun(Stream(url, "live", query="actor_id:u-1* -action:logout"))
    assert stream.answer.headers["Content-Type"].startswith("text/event-stream")
    filled.add([new(number, "live") for number in range(10, 14)] + [new(number, "other") for number in range(14, 20)])
    filled.add([new(20, "live", occurred_at=datetime.now(UTC) - timedelta(days=70))])  # occurred long ago
    filled.add([new(21, "live", action="logout"), new(110, "live", action="logout"), new(111, "live")])
    assert stream.actors(8) == people(10, 11, 12, 13, 20, 21, 110, 111)
    assert some.actors(5) == people(10, 11, 12, 13, 111)
    for stream_ in (stream, some):
        stream_.close()


def test_a_stream_is_resumed_after_every_event(filled, url):
    begin = begun(Stream(url, "again"))
    last = begin.last
    begin.close()
    filled.add([new(number, "again", kafka_partition=number % 2) for number in range(6)])
    found = []
    for _ in range(6):
        stream = Stream(url, "again", last)
        found += stream.actors(1)
        last = stream.last
        stream.close()
    assert sorted(found) == people(*range(6))
    stream = Stream(url, "again", last)
    filled.add([new(6, "again")])
    assert stream.actors(1) == people(6)
    stream.close()


def test_inserts_out_of_order(filled, url):
    """The months of a range become visible one after another, and a replica may show a later range first."""
    stream = begun(Stream(url, "order"))
    filled.add([new(number, "order") for number in (1_005, 1_007, 1_009)])
    assert stream.actors(3) == people(1_005, 1_007, 1_009)
    stream.close()
    filled.add([new(number, "order") for number in (1_010, 1_004, 1_006)])
    back = Stream(url, "order", stream.last)
    assert sorted(back.actors(3)) == sorted(people(1_004, 1_006, 1_010))
    filled.add([new(number, "order") for number in (1_008, 1_003)])
    assert back.actors(2) == people(1_003, 1_008)
    back.close()


def test_a_late_month_and_a_late_range_arrive_among_many_events_of_others(filled, url, monkeypatch):
    """Three tenants share a partition, and are followed with two statements. Each range has far more events than gaps
    that are kept.
    """
    monkeypatch.setattr(poll, "TENANTS", 2)
    tenants, topic, now = ["among0", "among1", "among2"], uuid.uuid4(), datetime.now(UTC)
    streams = [begun(Stream(url, tenant)) for tenant in tenants]

    def store_range(first: int, *, past: bool) -> None:
        """Store every sixth offset for each tenant: those of last month, or those of this month in between."""
        month = now - timedelta(days=40 if past else 0)
        offsets = range(first + past, first + 1_200, 2)
        range_ = {"kafka_topic_id": topic, "ingested_at": now + timedelta(milliseconds=first), "occurred_at": month}
        filled.add([new(number, tenants[number // 2 % 3], **range_) for number in offsets])

    def expect(first: int, *, past: bool) -> None:
        for number, stream in enumerate(streams):
            mine = [offset for offset in range(first + past, first + 1_200, 2) if offset // 2 % 3 == number]
            assert stream.actors(len(mine)) == people(*mine)

    for first, past in ((1_200, False), (3_600, False), (1_200, True), (2_400, False)):
        store_range(first, past=past)
        expect(first, past=past)
    for stream in streams:
        stream.close()


def test_events_in_thousands_of_periods_are_followed(filled, reader):
    """ClickHouse limits the number and the length of a request's parameters."""
    tenant, now = "x" * 100, datetime.now(UTC)
    topic, since_ms = str(uuid.uuid5(uuid.NAMESPACE_OID, tenant)), int(now.timestamp() * 1_000) - 60_000
    filled.add([new(at, tenant, occurred_at=now, kafka_partition=at % 7 // 6) for at in (5, 6, 7)])
    many = {(topic, 0, 10_000_000 + at): SeenOffsets(9_000_000 + at, ((3, 4), (6, 8_000_000))) for at in range(3_653)}
    month = now.year * 100 + now.month
    seen = many | {(topic, 0, month): SeenOffsets(7, ((5, 5),))}
    polled = sql.compile_poll(filled.database, {tenant: seen}, since_ms=since_ms, limit=9)
    assert [row["place_offset"] for row in reader.executor.rows(polled)] == [5, 6]
    goal = StreamPosition(since_ms + 600_000, seen | {(topic, 0, month): SeenOffsets(7)})
    follower, scope = follow.Follower(reader.executor, filled.database), TenantScope.for_operator(tenant)
    for everywhere, offsets in ((True, [5, 6]), (False, [5])):
        start = StreamPosition(since_ms, seen if everywhere else {(topic, 0, month): seen[topic, 0, month]})
        found = follower.next_slice(scope, Filter(), start, goal, everywhere=everywhere)
        assert ([event.offset for event in found.events], found.ended) == (offsets, True)


@pytest.mark.parametrize("seed", range(3))
def test_any_insert_order_and_any_number_of_reconnects(filled, url, seed):
    chance = random.Random(seed)
    tenant = f"any{seed}"
    rows = [new(number, tenant, kafka_partition=number % 3, kafka_offset=number // 3) for number in range(180)]
    rows.sort(key=lambda row: row["kafka_offset"] + chance.random() * 40)
    stream = begun(Stream(url, tenant))
    wanted = {row["actor_id"] for row in rows}

    def store_them() -> None:
        left = list(rows)
        while left:
            size = chance.randrange(1, 25)
            filled.add(left[:size])
            del left[:size]

    thread = threading.Thread(target=store_them)
    thread.start()
    found: list[str] = []
    returns = random.Random(seed)
    while len(found) < len(rows):
        found += stream.actors(min(returns.randrange(1, 60), len(rows) - len(found)))
        stream.close()
        stream = Stream(url, tenant, stream.last)
    thread.join(WAIT_S)
    stream.close()
    assert len(found) == len(set(found))
    assert set(found) == wanted


def test_a_stream_catches_up_in_pages_after_a_long_absence(filled, url, monkeypatch):
    monkeypatch.setattr(follow, "PAGE", 7)
    stream = begun(Stream(url, "absent"))
    stream.close()
    filled.add([new(number, "absent", kafka_partition=number % 3) for number in range(3_000, 3_050)])
    back = Stream(url, "absent", stream.last)
    assert sorted(back.actors(50)) == sorted(people(*range(3_000, 3_050)))
    back.close()


def test_an_event_sent_twice_is_streamed_once(filled, url):
    stream = begun(Stream(url, "twice"))
    first = new(4_000, "twice")
    filled.add([first])
    assert stream.actors(1) == people(4_000)
    filled.add([first | {"kafka_offset": 4_001}, new(4_002, "twice")])
    assert stream.actors(1) == people(4_002)
    stream.close()


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_slow_client_is_notified_and_resumes_with_its_last_id(filled, reader):
    scope = TenantScope.for_operator("slow")
    hub = hub_of(reader, filled.settings)
    subscription = Subscription(lambda: None, buffer=5)
    channel = hub.join(scope, Filter())
    assert hub.begin(channel, subscription, WAIT_S) is not None
    filled.add([new(number, "slow") for number in range(5_000, 5_004)])
    wait_until(lambda: len(subscription._waiting) == 4)
    filled.add([new(number, "slow") for number in range(5_004, 5_010)])
    wait_until(lambda: subscription.ended == "slow")
    kept = subscription.drain()
    assert [json.loads(one.line)["actor_id"] for one in kept] == people(*range(5_000, 5_004))
    hub.leave(channel, subscription)
    again, other = hub.join(scope, Filter()), Subscription(lambda: None)
    stretch, _ = hub.catch_up(again, other, kept[-1].position, WAIT_S)
    assert [json.loads(one.line)["actor_id"] for one in stretch.events] == people(*range(5_004, 5_010))
    hub.leave(again, other)
    wait_until(lambda: hub._thread is None)
    assert not hub._channels
    hub.close()


def test_one_poll_serves_all_streams(filled, reader, monkeypatch):
    hub = hub_of(reader, filled.settings)
    polls: list[int] = []
    queries: list[Any] = []
    monkeypatch.setattr(hub, "_poll", lambda channels, to=hub._poll: polls.append(len(channels)) or to(channels))
    on = hub._follower.next_slice
    monkeypatch.setattr(
        hub._follower, "next_slice", lambda *given, **named: queries.append(given[1]) or on(*given, **named)
    )
    scope, streams = TenantScope.for_operator("shared"), []
    for filter_ in (Filter(), Filter(), parse([("action", "login")])):
        subscription = Subscription(lambda: None)
        channel = hub.join(scope, filter_)
        assert hub.begin(channel, subscription, WAIT_S)
        streams.append((channel, subscription))
    filled.add([new(6_000, "shared"), new(6_001, "nobody")])
    wait_until(lambda: all(one._waiting for _, one in streams))
    assert len(queries) == 2  # there is one database query per filter
    assert max(polls) == 2
    for channel, subscription in streams:
        hub.leave(channel, subscription)
    hub.close()


def test_the_stream_ends_with_the_credential(filled, reader, monkeypatch):
    over, original = threading.Event(), querying.authorize

    def authorize(permission: Any) -> Callable[..., Awaitable[TenantScope]]:
        inner = original(permission)

        async def scope(request: Request) -> TenantScope:
            if over.is_set():
                raise TokenExpired("The token has expired.")
            return await inner(request)

        return scope

    monkeypatch.setattr(querying, "authorize", authorize)
    with served(reader, settings=filled.settings) as address:
        stream = begun(Stream(address, "ending"))
        over.set()
        filled.add([new(7_000, "ending")])
        assert stream.next() == ("end", {"code": "TOKEN_EXPIRED", "detail": "The token has expired."})
        assert stream.next() is None
        stream.close()


def test_a_disconnected_client_leaves_nothing_behind(filled, reader, monkeypatch):
    made: list[StreamHub] = []
    monkeypatch.setattr(querying, "hub_of", lambda *given: made.append(hub_of(*given)) or made[0])
    with served(reader, settings=filled.settings) as address:
        streams = [begun(Stream(address, "going")) for _ in range(3)]
        refused = Stream(address, "going")
        assert refused.answer.status == 429
        assert json.loads(refused.answer.read())["code"] == "RATE_LIMITED"
        assert int(refused.answer.headers["Retry-After"]) >= 1
        for open_stream in (*streams, refused):
            open_stream.close()
        wait_until(lambda: not made[0]._channels and made[0]._thread is None)


def test_stopping_ends_streams(filled, reader):
    with served(reader, settings=filled.settings) as address:
        stream = begun(Stream(address, "stopping"))
    item = stream.next()
    assert item is not None
    assert item[1]["code"] == "STREAM_STOPPED"
    stream.close()


@pytest.mark.parametrize(
    ("last", "fields", "code"),
    [
        ("nonsense", {}, "CURSOR_INVALID"),
        ("", {"limit": "5"}, "FILTER_INVALID"),
        ("", {"query": "("}, "FILTER_INVALID"),
        (
            ResumeTokens(mac).seal(TenantScope.for_operator("other"), Filter(), StreamPosition(1, {})),
            {},
            "CURSOR_INVALID",
        ),
    ],
)
def test_an_invalid_stream_request_returns_its_error_code(url, last, fields, code):
    stream = Stream(url, "wrong", last, **fields)
    assert (stream.answer.status, json.loads(stream.answer.read())["code"]) == (400, code)
    stream.close()


def test_an_unavailable_store_is_reported():
    settings = load(clickhouse_url="http://127.0.0.1:9", stream_poll_s=0.05)
    away = Reader(settings)
    hub = StreamHub.of(settings, away.executor)
    subscription = Subscription(lambda: None)
    channel = hub.join(TenantScope.for_operator("acme"), Filter())
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        hub.begin(channel, subscription, 0.3)
    hub.leave(channel, subscription)
    hub.close()
    away.close()


FEW = 50


@pytest.fixture
def crowded(clickhouse: str) -> Iterator[tuple[Store, Reader]]:
    """Store a large and a small tenant in separate blocks. The number of rows that a tenant's query may read is
    limited.
    """
    with store(clickhouse) as made:
        made.add([new(number, "large") for number in range(4 * FEW)])
        made.add([new(number, "small") for number in range(3)])
        made.settings = made.settings.model_copy(update={"query_max_rows_read": FEW, "stream_poll_s": 0.05})
        reader = Reader(made.settings)
        yield made, reader
        reader.close()


def test_a_querys_read_limit_does_not_bound_the_shared_poll(crowded):
    table, reader = crowded
    with served(reader, settings=table.settings) as address:
        stream = begun(Stream(address, "small"))
        assert stream.answer.status == 200
        table.add([new(number, "large") for number in range(1_000, 1_000 + 4 * FEW)])
        table.add([new(1_000, "small")])
        assert stream.actors(1) == ["u-1000"]
        stream.close()


def test_a_tenants_failure_ends_only_its_streams(crowded):
    table, reader = crowded
    with served(reader, settings=table.settings) as address:
        small, large = begun(Stream(address, "small")), begun(Stream(address, "large"))
        table.add([new(2_000, "small"), new(2_000, "large")])
        assert small.actors(1) == ["u-2000"]
        ended = large.next()
        assert ended is not None
        assert (ended[0], ended[1]["code"]) == ("end", "QUERY_TOO_LARGE")
        for stream in (small, large):
            stream.close()


def test_a_stream_ends_with_the_reason_once_its_tenant_has_too_many_rows(crowded):
    table, reader = crowded
    with served(reader, settings=table.settings) as address:
        stream, small = begun(Stream(address, "growing")), begun(Stream(address, "small"))
        table.add([new(number, "growing") for number in range(4 * FEW)])
        ended = stream.next()
        assert ended is not None
        assert (ended[0], ended[1]["code"]) == ("end", "QUERY_TOO_LARGE")
        assert stream.next() is None
        again = Stream(address, "growing", stream.last)
        assert json.dumps(again.next()).count("QUERY_TOO_LARGE") == 1
        table.add([new(3_000, "small")])
        assert small.actors(1) == ["u-3000"]
        for open_stream in (stream, small, again):
            open_stream.close()


def test_a_failure_for_all_is_reported_unchanged(filled, monkeypatch):
    """Errors that a retry cannot fix, such as a missing table, are reported immediately."""
    reader = Reader(filled.settings.model_copy(update={"clickhouse_database": "nowhere"}))
    with served(reader) as address:
        stream = Stream(address, "acme")
        assert (stream.answer.status, json.loads(stream.answer.read())["code"]) == (502, "STORE_REFUSED")
        stream.close()
    reader.close()
    settings = filled.settings.model_copy(update={"stream_poll_s": 0.05})
    slow = Reader(settings)
    hub, subscription = StreamHub.of(settings, slow.executor), Subscription(lambda: None)

    def takes_too_long(*_: Any, **__: Any) -> None:
        raise QueryTooLarge("The query exceeded its time limit.")

    monkeypatch.setattr(hub._poller, "_rows", takes_too_long)
    channel = hub.join(TenantScope.for_operator("acme"), Filter())
    with pytest.raises(StoreUnavailable, match="exceeded its time limit"):
        hub.begin(channel, subscription, 0.3)
    hub.leave(channel, subscription)
    hub.close()
    slow.close()
