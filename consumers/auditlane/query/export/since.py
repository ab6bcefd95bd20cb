"""Records where a person's last download of a search ended, so that the next one contains exactly the events stored
since then.

A time would not be sufficient, since a worker may store an event seconds after receiving it, and an event may be sent
long after it occurred. Instead, the end is the set of stored Kafka offsets, represented by the highest offset of each
partition and the gaps below it. A download contains the offsets that are stored now but not in the earlier set, so
every event is in exactly one download.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from pydantic import AwareDatetime, BaseModel, ConfigDict

from auditlane.access.scope import TenantScope
from auditlane.query.base_filter import digest
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.clickhouse.statements import EVENTS, Parameters, Statement, select, statement
from auditlane.query.filters import Filter, OffsetRange, PartitionKey
from auditlane.query.live.seen_offsets import SeenOffsets, union, unseen
from auditlane.query.sql import where
from auditlane.store.leases import keep_state, load_state

# Inserts are expected to become visible within this time after their `ingested_at`; live streams assume the same.
_SETTLED_MS: Final = 3_600_000
_MAX_GAPS: Final = 1_000  # per partition; the newest are kept, since older gaps are dead letters


class Extent(BaseModel):
    """The stored events that a download covers. Each entry of `seen` is [topic id, partition, highest offset, gaps]."""

    model_config = ConfigDict(frozen=True)

    at: AwareDatetime
    seen: tuple[tuple[str, int, int, tuple[OffsetRange, ...]], ...]

    @classmethod
    def of(cls, at: datetime, seen: Mapping[PartitionKey, SeenOffsets]) -> Extent:
        """Create an extent from the offsets stored at a time."""
        return cls(at=at, seen=tuple((*place, one.top, one.gaps) for place, one in sorted(seen.items())))

    def offsets(self) -> dict[PartitionKey, SeenOffsets]:
        """Return each partition's stored offsets."""
        return {(topic, partition): SeenOffsets(top, gaps) for topic, partition, top, gaps in self.seen}


class Extents:
    """Stores the extents of downloads, per person, tenant and search. Thread-safe."""

    def __init__(self, client: Callable[[], Client], database: str, executor: QueryExecutor) -> None:
        self._client, self._database, self._executor = client, database, executor

    def last(self, scope: TenantScope, filter_: Filter) -> Extent | None:
        """Return the extent of the person's last complete download of this search, or None before the first."""
        found = load_state(self._client(), self._database, _name(scope, filter_))
        return Extent.model_validate_json(found) if found else None

    def keep(self, scope: TenantScope, filter_: Filter, extent: Extent) -> None:
        """Record that a download is complete, unless a later one already is. Raises the errors of the store."""
        began_us = (extent.at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        keep_state(self._client(), self._database, _name(scope, filter_), began_us, extent.model_dump_json())

    def present(self, scope: TenantScope, earlier: Extent | None) -> Extent:
        """Return the extent of the offsets stored now. It includes the offsets of `earlier`, even if they appear to be
        gaps.
        """
        now = datetime.now(UTC)
        rows = self._executor.rows(_compile_tops(self._database, scope), scope.tenant)
        tops = {_place(row): int(row["top"]) for row in rows}
        # Read after the partitions, so that an event stored in between is either covered together with its gaps or not
        # at all.
        newest = self._executor.rows(_compile_newest(self._database, [*tops], now), scope.tenant)
        seen = {place: SeenOffsets(top) for place, top in tops.items()}
        for row in newest:
            gaps = tuple((int(first), int(last)) for first, last in row["gaps"])
            seen[_place(row)] = SeenOffsets(int(row["top"]), gaps[-_MAX_GAPS:])
        before = earlier.offsets() if earlier else {}
        return Extent.of(now, {place: union(one, before.get(place)) for place, one in (before | seen).items()})


def narrowed(filter_: Filter, earlier: Extent | None, present: Extent) -> Filter:
    """Return the filter for the events that are in `present` but not in `earlier`."""
    before = earlier.offsets() if earlier else {}
    ranges = {place: unseen(before.get(place), seen) for place, seen in present.offsets().items()}
    return replace(filter_, offsets={place: found for place, found in ranges.items() if found})


def places_of(filter_: Filter) -> tuple[tuple[str, int, tuple[OffsetRange, ...]], ...] | None:
    """Return the offsets in the filter as a job's record stores them."""
    if filter_.offsets is None:
        return None
    return tuple((*place, tuple(ranges)) for place, ranges in filter_.offsets.items())


def _name(scope: TenantScope, filter_: Filter) -> str:
    key = json.dumps([scope.tenant, scope.client_id, scope.actor, (filter_.digest() + digest(scope)).hex()])
    return f"download:{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}"


def _compile_tops(database: str, scope: TenantScope) -> Statement:
    """Compile a query for the partitions that contain events of the tenant. Each row has `topic`, `partition` and
    `top`, the tenant's highest offset.
    """
    parameters = Parameters(database)
    columns = "toString(e.kafka_topic_id) AS topic, e.kafka_partition AS partition, max(e.kafka_offset) AS top"
    return select(columns, where(parameters, scope, Filter()), "GROUP BY topic, partition", parameters)


def _compile_newest(database: str, places: list[PartitionKey], now: datetime) -> Statement:
    """Compile a query for the newest offsets of all tenants in these partitions. Each row has `topic`, `partition`,
    `top` and `gaps`.
    """
    parameters = Parameters(database)
    since_ms = int(now.timestamp() * 1000) - _SETTLED_MS
    pairs = " OR ".join(
        f"(kafka_topic_id = {parameters.add('UUID', topic)} AND kafka_partition = {parameters.add('UInt32', number)})"
        for topic, number in places
    )
    sql = f"""SELECT topic, partition, max(place) AS top,
    arraySort(groupArrayIf([before + 1, place - 1], place > before + 1)) AS gaps
FROM (
    SELECT toString(kafka_topic_id) AS topic, kafka_partition AS partition, kafka_offset AS place,
        lagInFrame(kafka_offset, 1, kafka_offset) OVER (
            PARTITION BY kafka_topic_id, kafka_partition ORDER BY kafka_offset
            ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
    FROM {{database:Identifier}}.{EVENTS}
    WHERE ingested_at >= fromUnixTimestamp64Milli({parameters.add("Int64", since_ms)}, 'UTC')
      AND ({pairs or "false"})
)
GROUP BY topic, partition"""  # noqa: S608 - placeholders
    return statement(sql, parameters, shared=True)


def _place(row: Mapping[str, Any]) -> PartitionKey:
    topic = row["topic"]
    return topic.decode() if isinstance(topic, bytes) else str(topic), int(row["partition"])
