"""Statements for live streams: rows that became visible for the followed tenants, and a tenant's events at given
offsets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.statements import (
    EVENTS,
    JSON_LINE,
    KEY,
    TO_PERIOD,
    Parameters,
    Statement,
    select,
    statement,
)
from auditlane.query.filters import Filter, OffsetRange
from auditlane.query.live.seen_offsets import PartitionPeriod, SeenOffsets
from auditlane.query.sql import in_partition, where, within_offsets

_PLACE: Final = (
    f"toString(e.kafka_topic_id) AS topic, e.kafka_partition AS partition, {TO_PERIOD}(e.occurred_at) AS period,"
    " e.kafka_offset AS place_offset"
)
_NEWS: Final = (
    f"toString(e.tenant_id) AS tenant, {_PLACE}, toUnixTimestamp64Milli(e.ingested_at) AS ingested_ms,"
    " toUnixTimestamp64Micro(e.occurred_at) AS occurred_us"
)

_KEY: Final = (
    "concat(toString(e.kafka_topic_id), ' ', toString(e.kafka_partition), ' ',"
    f" toString({TO_PERIOD}(e.occurred_at)), ' ', e.tenant_id)"
)


def compile_begin(database: str, tenants: Sequence[str], *, since_ms: int, newest: int) -> Statement:
    """Compile a query for the `newest` highest offsets of each of these tenants in each partition and period, among
    those that were ingested since `since_ms`. The rows are the same as in `compile_poll`, in any order.
    """
    parameters = Parameters(database)
    sql = f"""SELECT {_NEWS}
FROM {{database:Identifier}}.{EVENTS} AS e
WHERE e.tenant_id IN {parameters.add("Array(String)", list(tenants))} AND {_ingested(parameters, since_ms)}
ORDER BY place_offset DESC LIMIT {parameters.add("UInt32", newest)} BY tenant, topic, partition, period"""  # noqa: S608 - placeholders
    return statement(sql, parameters, shared=True)


def compile_poll(
    database: str,
    seen: Mapping[str, Mapping[PartitionPeriod, SeenOffsets]],
    *,
    since_ms: int,
    limit: int,
) -> Statement:
    """Compile a query for the unseen offsets that were ingested since `since_ms`, lowest first. `seen` contains the
    offsets that have been seen of each tenant.

    Each row contains `tenant`, `topic`, `partition`, `period`, `place_offset`, `ingested_ms` and `occurred_us`.
    """
    parameters = Parameters(database)
    tenants = parameters.add("Array(String)", list(seen))
    known = {_key(tenant, place): one for tenant, places in seen.items() for place, one in places.items()}
    keys = parameters.add("Array(String)", list(known))
    nexts = parameters.add("Array(UInt64)", [one.top + 1 for one in known.values()])
    firsts = parameters.add("Array(Array(UInt64))", [[first for first, _ in one.gaps] for one in known.values()])
    lasts = parameters.add("Array(Array(UInt64))", [[last for _, last in one.gaps] for one in known.values()])
    # An array's element 0 is its type's default, so where nothing was seen yet, every offset is new.
    at = f"transform({_KEY}, {keys}, arrayEnumerate({keys}), 0)" if known else "0"
    sql = f"""SELECT {_NEWS}, {at} AS known
FROM {{database:Identifier}}.{EVENTS} AS e
WHERE e.tenant_id IN {tenants} AND {_ingested(parameters, since_ms)}
  AND (e.kafka_offset >= {nexts}[known] OR arrayExists(
    (f, l) -> e.kafka_offset >= f AND e.kafka_offset <= l, {firsts}[known], {lasts}[known]))
ORDER BY place_offset LIMIT {parameters.add("UInt32", limit)}"""  # noqa: S608 - placeholders
    return statement(sql, parameters, shared=True)


def compile_events_at(
    database: str,
    scope: TenantScope,
    filter_: Filter,
    ranges: Mapping[PartitionPeriod, Sequence[OffsetRange]],
    *,
    since_ms: int,
    occurred: tuple[int, int] | None,
    elsewhere_until_ms: int | None,
    limit: int,
) -> Statement:
    """Compile a query for the tenant's matching events at these offsets that were ingested since `since_ms`.

    With `elsewhere_until_ms`, the query also selects the events of every other partition and period that were ingested
    until then. `occurred` is the earliest and latest time at which the events can have occurred, in microseconds.

    Each row contains `line`, `statements.KEY`, `topic`, `partition`, `period` and `place_offset`. Rows are sorted by
    topic, partition and offset.
    """
    parameters = Parameters(database)
    conditions = [*where(parameters, scope, filter_), _ingested(parameters, since_ms)]
    if occurred is not None:
        first, last = (parameters.time(micros) for micros in occurred)
        conditions.append(f"e.occurred_at >= {first} AND e.occurred_at <= {last}")
    periods = {place: f"{TO_PERIOD}(e.occurred_at) = {parameters.add('UInt32', place[2])}" for place in ranges}
    wanted = [
        f"({periods[place]} AND {within_offsets(parameters, place[:2], offsets)})" for place, offsets in ranges.items()
    ]
    if elsewhere_until_ms is not None:
        earlier = f"e.ingested_at < fromUnixTimestamp64Milli({parameters.add('Int64', elsewhere_until_ms)}, 'UTC')"
        others = [f"NOT ({periods[place]} AND {in_partition(parameters, place[:2])})" for place in ranges]
        wanted.append(f"({' AND '.join([earlier, *others])})")
    conditions.append(f"({' OR '.join(wanted)})")
    tail = f"ORDER BY topic, partition, place_offset LIMIT {parameters.add('UInt32', limit)}"
    return select(f"{JSON_LINE} AS line, {KEY}, {_PLACE}", conditions, tail, parameters)


def _ingested(parameters: Parameters, since_ms: int) -> str:
    return f"e.ingested_at >= fromUnixTimestamp64Milli({parameters.add('Int64', since_ms)}, 'UTC')"


def _key(tenant: str, place: PartitionPeriod) -> str:
    """Return the value of `_KEY` for the tenant's events in this partition and period."""
    return " ".join((*map(str, place), tenant))
