"""Compile (TenantScope, Filter, Position) to SQL over the view `log`; which filters there are decides the text."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.columns import JSON_LINE, NULLABLE, PLACE
from auditlane.query.clickhouse.statements import Parameters, Statement, select
from auditlane.query.cursor import Position
from auditlane.query.filters import Filter
from auditlane.query.language.conditions import condition, occurs
from auditlane.query.ordering import ascending, ordering
from auditlane.query.sort import NEWEST, Sort
from auditlane.query.values import CHOICES

# Read in the order of the list, an event that does not match costs four times what it costs otherwise.
_ANY_ORDER: Final = {"optimize_read_in_order": 0}


def compile_page(
    database: str,
    scope: TenantScope,
    filter_: Filter,
    *,
    position: Position | None,
    limit: int,
    sort: Sort = NEWEST,
    edge: int | None = None,
) -> Statement:
    """At most `limit` events next to the position, in the list's order; nearest first when the page is before it.

    In a list by time, none that occurred beyond the `edge` (microseconds). Rows: `line` (the event as JSON), and
    `columns.PLACE`, of which a position is made.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    by = ordering(parameters, scope, sort, position)
    conditions += by.conditions
    if edge is not None:
        conditions.append(f"e.occurred_at {'<' if ascending(sort, position) else '>'}= {parameters.time(edge)}")
    made = select(
        f"{JSON_LINE} AS line, {PLACE}",
        conditions,
        f"{by.order} LIMIT {parameters.add('UInt32', limit)}",
        parameters,
        before=by.before,
    )
    return replace(made, settings=made.settings | _ANY_ORDER) if filter_.narrows else made


def compile_edge(
    database: str, scope: TenantScope, filter_: Filter, *, position: Position | None, sort: Sort, rows: int
) -> Statement:
    """How far `rows` events reach in a list by time, matching or not: one row `edge` (microseconds), or none when there
    are no more than that. Events that are stored twice count twice, which only brings the edge nearer.
    """
    parameters = Parameters(database)
    up = ascending(sort, position)
    conditions = where(parameters, scope, Filter(filter_.since, filter_.until))
    if position is not None:
        conditions.append(f"e.occurred_at {'>' if up else '<'}= {parameters.time(position.occurred_us)}")
    order = f"ORDER BY e.occurred_at {'ASC' if up else 'DESC'} LIMIT 1 OFFSET {parameters.add('UInt64', rows)}"
    edge = "toUnixTimestamp64Micro(e.occurred_at) AS edge"
    return select(edge, conditions, order, parameters, source="events")


def compile_one(database: str, scope: TenantScope, event_id: str, *, content_hash: str = "", limit: int) -> Statement:
    """The events with this id: the one of this content first, then as Kafka had them. Rows: as of `compile_page`."""
    parameters = Parameters(database)
    tenant = parameters.text(scope.tenant)
    id_ = parameters.add("UUID", event_id)
    # The inner look-up reads one narrow column of the tenant's rows; the view then reads a single key.
    source = "{database:Identifier}.events"
    times = f"e.occurred_at IN (SELECT occurred_at FROM {source} WHERE tenant_id = {tenant} AND event_id = {id_})"  # noqa: S608 - placeholders
    conditions = [f"e.tenant_id = {tenant}", f"e.event_id = {id_}", times]
    first = f"e.content_hash = {parameters.hash(content_hash)} DESC, " if content_hash else ""
    order = f"ORDER BY {first}e.kafka_timestamp, e.kafka_offset, e.content_hash"
    return select(
        f"{JSON_LINE} AS line, {PLACE}", conditions, f"{order} LIMIT {parameters.add('UInt32', limit)}", parameters
    )


def compile_count(database: str, scope: TenantScope, filter_: Filter) -> Statement:
    """One row: `rows`, and `bound`, the newest ingested_at among them in milliseconds."""
    parameters = Parameters(database)
    columns = "count() AS rows, toUnixTimestamp64Milli(max(e.ingested_at)) AS bound"
    return select(columns, where(parameters, scope, filter_), "", parameters)


def where(parameters: Parameters, scope: TenantScope, filter_: Filter) -> list[str]:
    """What a filter means: conditions of which all must hold, the tenant's first; values go to `parameters`."""
    conditions = [f"e.tenant_id = {parameters.text(scope.tenant)}"]
    if filter_.since is not None:
        conditions.append(f"e.occurred_at >= {parameters.time(filter_.since)}")
    if filter_.until is not None:
        conditions.append(f"e.occurred_at < {parameters.time(filter_.until)}")
    conditions += [_equals(parameters, column, values) for column, values in filter_.equals.items()]
    for group, keys in (("metadata", filter_.metadata), ("fields", filter_.fields)):
        for key, values in keys.items():
            array = parameters.add("Array(String)", list(values))
            conditions.append(f"e.{group}[{parameters.text(key)}] IN {array}")
    conditions += [occurs(parameters, word) for word in filter_.words]
    if filter_.query is not None:
        conditions.append(condition(parameters, filter_.query))
    return conditions


def _equals(parameters: Parameters, column: str, values: tuple[str, ...]) -> str:
    if column == "actor":
        array = parameters.add("Array(String)", list(values))
        return f"(e.actor_id IN {array} OR ifNull(e.actor_name, '') IN {array})"
    given = [value for value in values if value or column not in NULLABLE]
    if column == "ip":
        condition = f"e.ip IN {parameters.add('Array(IPv6)', given)}"
    elif column == "event_id":
        condition = f"e.event_id IN {parameters.add('Array(UUID)', given)}"
    else:
        left = f"toString(e.{column})" if column in CHOICES else f"e.{column}"
        condition = f"{left} IN {parameters.add('Array(String)', given)}"
    if len(given) == len(values):
        return condition
    # An empty value: stored as NULL, or as the empty text that a writer sent.
    absent = f"e.{column} IS NULL" if column == "ip" else f"ifNull(e.{column}, '') = ''"
    return f"({condition} OR {absent})" if given else absent
