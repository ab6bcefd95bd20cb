"""Statements for live streams: rows that became visible for the followed tenants, and a tenant's events at given
offsets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

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
from auditlane.query.sql import where

_PLACE: Final = (
    f"toString(e.kafka_topic_id) AS topic, e.kafka_partition AS partition, {TO_PERIOD}(e.occurred_at) AS period,"
    " e.kafka_offset AS place_offset"
)
_NEWS: Final = (
    f"toString(e.tenant_id) AS tenant, {_PLACE}, toUnixTimestamp64Milli(e.ingested_at) AS ingested_ms,"
    " toUnixTimestamp64Micro(e.occurred_at) AS occurred_us"
)
_PLACE_KEY: Final = (
    f"concat(toString(e.kafka_topic_id), ' ', toString(e.kafka_partition), ' ', toString({TO_PERIOD}(e.occurred_at)))"
)
_KEY: Final = f"concat({_PLACE_KEY}, ' ', e.tenant_id)"
# ClickHouse accepts 128 KiB in one parameter, and 1,000 parameters. A tenant whose history was imported can have
# thousands of periods, so they are in arrays, which are split if they are too long.
_MOST_CHARACTERS: Final = 100_000


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
    # An array's element 0 is its type's default, so where nothing was seen yet, every offset is new.
    nexts = _array(parameters, "UInt64", [one.top + 1 for one in known.values()])
    sql = f"""SELECT {_NEWS}, {_index(parameters, _KEY, list(known))} AS known
FROM {{database:Identifier}}.{EVENTS} AS e
WHERE e.tenant_id IN {tenants} AND {_ingested(parameters, since_ms)}
  AND (e.kafka_offset >= {nexts}[known] OR {_within(parameters, "known", [one.gaps for one in known.values()])})
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
    index = _index(parameters, _PLACE_KEY, [" ".join(map(str, place)) for place in ranges])
    wanted = [_within(parameters, index, list(ranges.values()))]
    if elsewhere_until_ms is None:
        periods = parameters.add("Array(UInt32)", sorted({period for _, _, period in ranges}))
        conditions.append(f"{TO_PERIOD}(e.occurred_at) IN {periods}")
    else:
        until = parameters.add("Int64", elsewhere_until_ms)
        wanted.append(f"({index} = 0 AND e.ingested_at < fromUnixTimestamp64Milli({until}, 'UTC'))")
    conditions.append(f"({' OR '.join(wanted)})")
    tail = f"ORDER BY topic, partition, place_offset LIMIT {parameters.add('UInt32', limit)}"
    return select(f"{JSON_LINE} AS line, {KEY}, {_PLACE}", conditions, tail, parameters)


def _index(parameters: Parameters, key: str, keys: Sequence[str]) -> str:
    """Compile the position of the value of `key` among `keys`, which begins at 1, or 0 if it is not one of them."""
    if not keys:
        return "0"
    array = _array(parameters, "String", keys)
    return f"transform({key}, {array}, arrayEnumerate({array}), 0)"


def _within(parameters: Parameters, index: str, ranges: Sequence[Sequence[OffsetRange]]) -> str:
    """Compile the condition that the event's offset is in one of the ranges at this position."""
    firsts = _array(parameters, "Array(UInt64)", [[first for first, _ in one] for one in ranges])
    lasts = _array(parameters, "Array(UInt64)", [[last for _, last in one] for one in ranges])
    inside = "(f, l) -> e.kafka_offset >= f AND e.kafka_offset <= l"
    return f"arrayExists({inside}, {firsts}[{index}], {lasts}[{index}])"


def _array(parameters: Parameters, kind: str, values: Sequence[Any]) -> str:
    """Add an array of the ClickHouse type `kind`, in as many parameters as it needs, and return an expression for
    it.
    """
    parts: list[list[Any]] = [[]]
    size = 0
    for value in values:
        length = len(str(value)) + 4  # with quotes and a comma
        if parts[-1] and size + length > _MOST_CHARACTERS:
            parts.append([])
            size = 0
        parts[-1].append(value)
        size += length
    added = [parameters.add(f"Array({kind})", part) for part in parts]
    return added[0] if len(added) == 1 else f"arrayConcat({', '.join(added)})"


def _ingested(parameters: Parameters, since_ms: int) -> str:
    return f"e.ingested_at >= fromUnixTimestamp64Milli({parameters.add('Int64', since_ms)}, 'UTC')"


def _key(tenant: str, place: PartitionPeriod) -> str:
    """Return the value of `_KEY` for the tenant's events in this partition and period."""
    return " ".join((*map(str, place), tenant))
