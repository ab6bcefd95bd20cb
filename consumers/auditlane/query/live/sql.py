"""Statements for live streams: rows that became visible for any tenant, and a tenant's events at given offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.statements import EVENTS, JSON_LINE, KEY, Parameters, Statement, select, statement
from auditlane.query.filters import Filter, OffsetRange, PartitionKey
from auditlane.query.live.seen_offsets import SeenOffsets
from auditlane.query.sql import in_partition, where, within_offsets

_PLACE: Final = "toString({e}kafka_topic_id) AS topic, {e}kafka_partition AS partition, {e}kafka_offset AS place_offset"


def compile_poll(
    database: str,
    tenants: Sequence[str],
    seen: Mapping[PartitionKey, SeenOffsets],
    *,
    since_ms: int,
    limit: int,
) -> Statement:
    """Compile a query for the unseen offsets of all tenants that were ingested since `since_ms`, lowest first.

    Each row contains `topic`, `partition`, `place_offset`, `tenant` (its index in `tenants`, counted from 1, or 0) and
    `occurred_us`.
    """
    parameters = Parameters(database)
    topics = parameters.add("Array(UUID)", [topic for topic, _ in seen])
    partitions = parameters.add("Array(UInt32)", [partition for _, partition in seen])
    nexts = parameters.add("Array(UInt64)", [offsets.top + 1 for offsets in seen.values()])
    firsts = parameters.add("Array(Array(UInt64))", [[first for first, _ in offsets.gaps] for offsets in seen.values()])
    lasts = parameters.add("Array(Array(UInt64))", [[last for _, last in offsets.gaps] for offsets in seen.values()])
    # An array's element 0 is its type's default, so in a partition not seen yet, every offset is new.
    known = f"arrayFirstIndex((t, p) -> t = kafka_topic_id AND p = kafka_partition, {topics}, {partitions})"
    sql = f"""SELECT {_PLACE.format(e="")},
    indexOf({parameters.add("Array(String)", list(tenants))}, toString(tenant_id)) AS tenant,
    toUnixTimestamp64Micro(occurred_at) AS occurred_us
FROM {{database:Identifier}}.{EVENTS}
WHERE ingested_at >= fromUnixTimestamp64Milli({parameters.add("Int64", since_ms)}, 'UTC')
  AND (kafka_offset >= {nexts}[{known}] OR arrayExists(
    (f, l) -> kafka_offset >= f AND kafka_offset <= l, {firsts}[{known}], {lasts}[{known}]))
ORDER BY kafka_offset LIMIT {parameters.add("UInt32", limit)}"""  # noqa: S608 - placeholders
    return statement(sql, parameters, shared=True)


def compile_partitions(database: str, scope: TenantScope, *, since_ms: int) -> Statement:
    """Compile a query for the partitions with events of the tenant that were ingested since `since_ms`. Each row
    contains `topic` and `partition`.
    """
    parameters = Parameters(database)
    conditions = [*where(parameters, scope, Filter()), _ingested(parameters, since_ms)]
    columns = "toString(e.kafka_topic_id) AS topic, e.kafka_partition AS partition"
    return select(columns, conditions, "GROUP BY topic, partition", parameters)


def compile_events_at(
    database: str,
    scope: TenantScope,
    filter_: Filter,
    ranges: Mapping[PartitionKey, Sequence[OffsetRange]],
    *,
    since_ms: int,
    occurred: tuple[int, int] | None,
    elsewhere_until_ms: int | None,
    limit: int,
) -> Statement:
    """Compile a query for the tenant's matching events at these offsets that were ingested since `since_ms`.

    With `elsewhere_until_ms`, the query also selects the events of every other partition that were ingested until then.
    `occurred` is the earliest and latest time at which the events can have occurred, in microseconds. Each row contains
    `line`, `statements.KEY`, `topic`, `partition` and `place_offset`; rows are sorted by the last three.
    """
    parameters = Parameters(database)
    conditions = [*where(parameters, scope, filter_), _ingested(parameters, since_ms)]
    if occurred is not None:
        first, last = (parameters.time(micros) for micros in occurred)
        conditions.append(f"e.occurred_at >= {first} AND e.occurred_at <= {last}")
    wanted = [within_offsets(parameters, place, offsets) for place, offsets in ranges.items()]
    if elsewhere_until_ms is not None:
        earlier = f"e.ingested_at < fromUnixTimestamp64Milli({parameters.add('Int64', elsewhere_until_ms)}, 'UTC')"
        others = [f"NOT ({in_partition(parameters, partition)})" for partition in ranges]
        wanted.append(f"({' AND '.join([earlier, *others])})")
    conditions.append(f"({' OR '.join(wanted)})")
    tail = f"ORDER BY topic, partition, place_offset LIMIT {parameters.add('UInt32', limit)}"
    return select(f"{JSON_LINE} AS line, {KEY}, {_PLACE.format(e='e.')}", conditions, tail, parameters)


def _ingested(parameters: Parameters, since_ms: int) -> str:
    return f"e.ingested_at >= fromUnixTimestamp64Milli({parameters.add('Int64', since_ms)}, 'UTC')"
