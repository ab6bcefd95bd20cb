"""Tests how a replay processes one chunk: what it leaves out, its retries, and its reasons for stopping."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import validating
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.summary import QuerySummary
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

from auditlane.contract.partition import Partition
from auditlane.operations.replay import replay as replay_module
from auditlane.operations.replay.checkpoint import Checkpoint, Progress
from auditlane.operations.replay.replay import Replay
from auditlane.operations.replay.table_target import TRIES, TableTarget
from auditlane.operations.selection import Plan, Span
from auditlane.operations.span_reader import Chunk
from auditlane.runtime.errors import Halted, StoreRefused, StoreUnavailable
from auditlane.runtime.settings import load
from auditlane.store.event_insert import Table
from auditlane.store.partitioning import Partitioning
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

PARTITION = Partition(validating.TOPIC, 3)
ID = "6f9619ff-8b86-4011-b42d-00c04fc964ff"


def message(offset: int, value: bytes | None = None, key: bytes = b"acme") -> Message:
    return Message(
        topic=PARTITION.topic,
        partition=PARTITION.number,
        offset=offset,
        key=key,
        value=value or validating.message(),
        timestamp=(TIMESTAMP_LOG_APPEND_TIME, validating.NOW_MS),
    )


class Client:
    """A store that contains some offsets. Its first inserts fail with the errors in `failures`."""

    def __init__(self, stored: list[int], failures: list[int]) -> None:
        self.stored, self.failures = stored, failures
        self.tokens: list[str] = []

    def query(self, _query: str) -> Any:
        return SimpleNamespace(result_rows=[[1]])  # the table exists

    def raw_query(self, _query: str, **_given: Any) -> bytes:
        return np.array(self.stored, dtype="<u8").tobytes()

    def raw_insert(self, _table: str, *, insert_block: object, settings: dict[str, Any]) -> QuerySummary:
        self.tokens.append(settings["insert_deduplication_token"])
        if self.failures:
            raise DatabaseError("failed", code=self.failures.pop(0))
        return QuerySummary()


def to_table(client: Client, slept: list[float], **options: Any) -> TableTarget:
    validator = BatchValidator(
        SchemaCache(validating.base_registry(), topic=validating.TOPIC, refresh_s=30),
        topic=validating.TOPIC,
        max_event_bytes=65_536,
    )
    table = Table("audit", (("tenant_id", "String"),), {}, Partitioning.MONTH)
    return TableTarget(
        client, table, validator, parts_per_second=1_000, sleep=slept.append, **({"dry": False} | options)
    )  # type: ignore[arg-type]


def take(target: TableTarget, messages: list[Message]) -> tuple[Progress, int]:
    """Process a chunk of messages. Returns the progress, and how often it was announced."""
    span, progress, announced = Span(PARTITION, ID, 0, 100, 0), Progress("run"), []
    target.begin(span)
    chunk = Chunk(10, 10 + len(messages), messages)  # type: ignore[arg-type]
    target.take(span, chunk, progress, lambda: announced.append(True))
    return progress, len(announced)


def test_only_missing_messages_are_validated_and_stored() -> None:
    client = Client([10, 12], [])
    messages = [message(10, b"bad"), message(11), message(12), message(13, b"bad"), message(14)]
    progress, announced = take(to_table(client, []), messages)
    assert (progress.counts.already, progress.counts.stored, progress.counts.refused) == (2, 2, {"NOT_FRAMED": 1})
    assert (len(client.tokens), announced) == (1, 1)


@pytest.mark.parametrize(("stored", "dry"), [([10, 11], False), ([10], True)])
def test_nothing_missing_or_a_dry_run_inserts_nothing(stored: list[int], dry: bool) -> None:
    client = Client(stored, [])
    progress, announced = take(to_table(client, [], dry=dry), [message(10), message(11)])
    assert progress.counts.stored == 2 - len(stored)
    assert (client.tokens, announced) == ([], 0)


def test_a_busy_store_is_retried_with_the_same_token() -> None:
    client, slept = Client([], [252, 241]), list[float]()
    take(to_table(client, slept), [message(10)])
    assert len(client.tokens) == 3
    assert len(set(client.tokens)) == 1
    assert slept == sorted(slept)


def test_a_replay_ends_after_retries_or_at_once_if_the_store_refuses() -> None:
    client = Client([], [252] * TRIES)
    with pytest.raises(StoreUnavailable, match="TOO_MANY_PARTS"):
        take(to_table(client, []), [message(10)])
    assert len(client.tokens) == TRIES
    client = Client([], [53])
    with pytest.raises(StoreRefused, match="TYPE_MISMATCH"):
        take(to_table(client, []), [message(10)])
    assert len(client.tokens) == 1


class KafkaOffsets:
    def __init__(self, committed: list[int | None]) -> None:
        self._committed = committed

    def committed(self, partitions: list[Partition]) -> dict[Partition, int | None]:
        return dict.fromkeys(partitions, self._committed.pop(0))


class Target:
    """Collects the chunks that are written. Fails at the chunk that begins at `fails_at`."""

    def __init__(self, fails_at: int = -1) -> None:
        self.taken: list[tuple[int, int]] = []
        self.messages: list[int] = []
        self.fails_at = fails_at

    def begin(self, span: Span) -> None:
        pass

    def take(self, span: Span, chunk: Chunk, progress: Progress, announce: Any) -> None:
        announce()
        if chunk.first == self.fails_at:
            raise KeyboardInterrupt
        self.taken.append((chunk.first, chunk.end))
        self.messages += [one.offset() for one in chunk.messages]
        progress.counts.stored += len(chunk.messages)


class Reader:
    """Reads a message at every offset. Messages at even offsets are acme's, and those at odd offsets another
    tenant's.
    """

    def __init__(self, _settings: object) -> None:
        pass

    def chunks(self, span: Span, *, rows: int, size: int) -> Any:
        for first in range(span.first, span.end, rows):
            end = min(span.end, first + rows)
            yield Chunk(first, end, [message(at, key=b"other" if at % 2 else b"acme#1") for at in range(first, end)])

    def close(self) -> None:
        pass


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "SpanReader", Reader)


SPAN = Span(PARTITION, ID, 0, 25, 0)


def replay(target: Target, *, committed: list[int | None] | None = None, rows: int = 10, **more: Any) -> Replay:
    options: dict[str, Any] = {"tenants": frozenset(), "left_out": {}, "guarded": committed is not None} | more
    return Replay(load(range_rows=rows), KafkaOffsets(committed or []), target, **options)  # type: ignore[arg-type]


@pytest.mark.usefixtures("reader")
def test_other_tenants_and_dead_letters_are_skipped() -> None:
    target = Target()
    made = replay(target, tenants=frozenset({"acme"}), left_out={SPAN: np.array([2, 3, 12, 24])})
    done = made.run(Plan((SPAN,), ()), None, lambda *_: None)
    assert target.messages == [at for at in range(0, 25, 2) if at not in (2, 12, 24)]
    assert (done.counts.read, done.counts.other_tenants, done.counts.dead_lettered, done.counts.stored) == (
        25,
        12,
        3,
        10,
    )


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("then", [12, None])
def test_an_offset_that_is_set_back_stops_it(then: int | None) -> None:
    target = Target()
    with pytest.raises(Halted, match=f"reset to {then}"):
        replay(target, committed=[25, then]).run(Plan((SPAN,), ()), None, lambda *_: None)
    assert target.taken == [(0, 10)]


@pytest.mark.usefixtures("reader")
def test_an_interrupted_chunk_is_sent_again_with_its_bounds_and_counted_once(tmp_path: Any) -> None:
    checkpoint = Checkpoint(tmp_path / "one.json")
    first = Target(fails_at=10)
    with pytest.raises(KeyboardInterrupt):
        replay(first).run(Plan((SPAN,), ()), checkpoint, lambda *_: None)
    saved = checkpoint.load()
    assert saved is not None
    assert (saved.done, saved.pending, saved.counts.read) == ({3: 10}, (3, 10, 20), 10)
    second = Target()
    done = replay(second, rows=7).run(Plan((SPAN,), ()), checkpoint, lambda *_: None)
    assert second.taken == [(10, 20), (20, 25)]  # regardless of the current settings
    assert done.run == saved.run
    assert (done.counts.read, done.counts.stored) == (25, 25)
    assert checkpoint.load() is None


@pytest.mark.usefixtures("reader")
def test_announced_chunks_come_before_newer_ones_of_other_partitions(tmp_path: Any) -> None:
    checkpoint, target = Checkpoint(tmp_path / "one.json"), Target()
    checkpoint.save(Progress("run", {2: 10, 3: 10}, (3, 10, 20)))
    other = Span(Partition(validating.TOPIC, 2), ID, 0, 15, 0)
    replay(target).run(Plan((other, SPAN), ()), checkpoint, lambda *_: None)
    assert target.taken == [(10, 20), (20, 25), (10, 15)]
