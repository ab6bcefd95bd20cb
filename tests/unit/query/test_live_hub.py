"""Tests live streams with an in-memory store, two processes, inserts out of order, and clients that connect at
random.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from auditlane.access.scope import TenantScope
from auditlane.query import conflicts
from auditlane.query.filters import Filter
from auditlane.query.live import follow, hub, poll, sql
from auditlane.query.live.resume_token import ResumeTokens
from auditlane.query.live.seen_offsets import SeenOffsets
from auditlane.query.live.subscription import Subscription

ACME = TenantScope.for_operator("acme")
WAIT_S = 30.0
Rows = list[dict[str, Any]]


@dataclass
class Row:
    topic: str
    partition: int
    offset: int
    tenant: str
    period: int
    ingested_ms: int = 0

    @property
    def key(self) -> tuple[str, int, int]:
        return self.topic, self.partition, self.offset

    @property
    def place(self) -> tuple[str, int, int]:
        return self.topic, self.partition, self.period

    def found(self) -> dict[str, Any]:
        return self.shown() | {"tenant": self.tenant, "ingested_ms": self.ingested_ms}

    def shown(self) -> dict[str, Any]:
        place = {"topic": self.topic, "partition": self.partition, "period": self.period, "place_offset": self.offset}
        at = 1_000 * self.offset
        return place | {"occurred_us": at, "id": f"{self.topic}/{self.partition}", "line": json.dumps(self.key)}


class MemoryStore:
    """A store whose statements are functions over its rows. The fixture uses them in place of the statements in
    `live.sql`.
    """

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._lock = threading.Lock()

    def add(self, rows: list[Row]) -> None:
        with self._lock:
            for row in rows:
                row.ingested_ms = time.time_ns() // 1_000_000
            self._rows += rows

    def rows(self, statement: Callable[[list[Row]], Rows], tenant: str = "", seconds: float | None = None) -> Rows:
        with self._lock:
            return statement(list(self._rows))


def news(database: str, seen: Any, *, since_ms: int, limit: int) -> Any:
    def new(row: Row) -> bool:
        known = seen[row.tenant].get(row.place) if row.tenant in seen else SeenOffsets(row.offset)
        return row.ingested_ms >= since_ms and not (known and known.contains(row.offset))

    return lambda rows: [row.found() for row in sorted(rows, key=lambda row: row.offset) if new(row)][:limit]


def begun(database: str, tenants: Any, *, since_ms: int, newest: int) -> Any:
    def found(rows: list[Row]) -> Rows:
        by_place: defaultdict[Any, list[Row]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: -row.offset):
            if row.tenant in tenants and row.ingested_ms >= since_ms:
                by_place[row.tenant, row.place].append(row)
        return [row.found() for there in by_place.values() for row in there[:newest]]

    return found


def arrived(
    database: str,
    scope: Any,
    filter_: Any,
    runs: Any,
    *,
    since_ms: int,
    occurred: Any,
    elsewhere_until_ms: Any,
    limit: int,
) -> Any:
    def wanted(row: Row) -> bool:
        if row.tenant != scope.tenant or row.ingested_ms < since_ms:
            return False
        if occurred and not occurred[0] <= 1_000 * row.offset <= occurred[1]:
            return False
        if row.place in runs:
            return any(first <= row.offset <= last for first, last in runs[row.place])
        return elsewhere_until_ms is not None and row.ingested_ms < elsewhere_until_ms

    return lambda rows: [row.shown() for row in sorted(rows, key=lambda row: row.key) if wanted(row)][:limit]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    monkeypatch.setattr(sql, "compile_poll", news)
    monkeypatch.setattr(sql, "compile_begin", begun)
    monkeypatch.setattr(sql, "compile_events_at", arrived)
    monkeypatch.setattr(conflicts, "compile_contents", lambda database, scope, keys: lambda rows: [])
    monkeypatch.setattr(follow, "PAGE", 7)
    monkeypatch.setattr(poll, "ROWS", 40)
    return MemoryStore()


def made(chance: random.Random, count: int) -> list[Row]:
    """Return rows in four partitions, nearly in order. Some belong to another tenant. Offsets without a row are dead
    letters.
    """
    nexts: dict[tuple[str, int], int] = {}
    rows = []
    for _ in range(count):
        place = (str(uuid.UUID(int=chance.choice([7, 8]))), chance.randrange(2))
        nexts[place] = nexts.get(place, 0) + chance.choice([1] * 15 + [2])
        tenant, period = chance.choice(["acme", "acme", "globex"]), chance.choice([202611, 202611, 202610])
        rows.append(Row(*place, nexts[place], tenant, period))
    far = chance.choice([0, 20, 60])
    order = sorted(range(count), key=lambda at: at + chance.random() * far)
    return [rows[at] for at in order]


def mac(purpose: str, data: bytes) -> bytes:
    return hmac.digest(b"k" + purpose.encode(), data, hashlib.sha256)


class Client:
    """A client that reads events, disconnects at random, even in the middle of a batch, and reconnects to either
    process.
    """

    def __init__(self, tails: list[hub.StreamHub], chance: random.Random) -> None:
        self.got: list[tuple[Any, ...]] = []
        self._tails, self._chance = tails, chance
        self._seals = ResumeTokens(mac)
        self._enter()
        begun = self._tail.begin(self._channel, self._subscription, WAIT_S)
        assert begun is not None
        self._id = self._seals.seal(ACME, Filter(), begun)

    def turn(self) -> None:
        if self._taken(self._subscription.drain(), 0.1) and self._chance.random() < 0.9:
            time.sleep(0.001)
            return
        self.leave()
        self._enter()
        start, level = self._seals.open(ACME, Filter(), self._id), False
        while not level:
            stretch, level = self._tail.catch_up(self._channel, self._subscription, start, WAIT_S)
            if not self._taken(stretch.events, 0.03):
                self.leave()
                self._enter()
                start, level = self._seals.open(ACME, Filter(), self._id), False
                continue
            start = stretch.position
            self._id = self._seals.seal(ACME, Filter(), start)

    def leave(self) -> None:
        self._tail.leave(self._channel, self._subscription)

    def _enter(self) -> None:
        self._tail = self._chance.choice(self._tails)
        self._subscription = Subscription(lambda: None)
        self._channel = self._tail.join(ACME, Filter())

    def _taken(self, events: list[follow.StreamedEvent], cut: float) -> bool:
        """Store the events. Returns False if the client disconnects before the last one."""
        for event in events:
            self.got.append(tuple(json.loads(event.line)))
            self._id = self._seals.seal(ACME, Filter(), event.position)
            if self._chance.random() < cut:
                return False
        return True


@pytest.fixture
def tails(memory: MemoryStore) -> Iterator[list[hub.StreamHub]]:
    made_ = [hub.StreamHub(memory, "audit", poll_s=0.001, per_tenant=9) for _ in range(2)]  # type: ignore[arg-type]
    yield made_
    for hub_ in made_:
        hub_.close()


@pytest.mark.parametrize("seed", range(4))
def test_each_event_is_delivered_once(memory, tails, seed):
    chance = random.Random(seed)
    rows = made(chance, 260)
    memory.add(rows[:40])  # these earlier events are not streamed
    client = Client(tails, random.Random(seed))
    wanted = {row.key for row in rows[40:] if row.tenant == "acme"}

    def store() -> None:
        left = rows[40:]
        while left:
            size = chance.randrange(1, 25)
            memory.add(left[:size])
            del left[:size]
            time.sleep(chance.random() * 0.003)

    thread = threading.Thread(target=store)
    thread.start()
    until = time.monotonic() + WAIT_S
    while len(client.got) < len(wanted) and time.monotonic() < until:
        client.turn()
    thread.join()
    client.leave()
    assert len(client.got) == len(set(client.got))
    assert set(client.got) == wanted
