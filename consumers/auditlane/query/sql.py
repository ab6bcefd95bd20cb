"""Compiles filters, queries and positions to SQL over events or their stored copies.

The text depends only on which filters and columns are used. Every value is a parameter.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.contract.provenance import TRAIL
from auditlane.contract.vocabulary import ACCESS_ACTIONS
from auditlane.query.base_filter import filter_of
from auditlane.query.clickhouse.statements import (
    AS_TEXT,
    EVENTS,
    FREE_TEXT,
    JSON_LINE,
    JSON_LINE_OF_NAMED,
    NAMED,
    NULLABLE,
    PLACE,
    RANK,
    Parameters,
    Statement,
    is_shared,
    select,
    statement,
)
from auditlane.query.fields import CHOICES, severity_rank, stored_address
from auditlane.query.filters import Filter, OffsetRange, PartitionKey
from auditlane.query.language.tree import (
    And,
    Between,
    Compare,
    Field,
    Has,
    Kind,
    Like,
    Match,
    Node,
    Not,
    Number,
    Operator,
    Or,
    Span,
    Within,
    Word,
)
from auditlane.query.sort import NEWEST, Position, Sort, ascending, beside, ordering
from auditlane.query.windows import Window

# If ClickHouse reads in the list's order, an event that does not match costs four times as much.
_ANY_ORDER: Final = {"optimize_read_in_order": 0}
_ALL_TIME: Final = Window(None, None, 0)
SORTED_ROWS: Final = 10_000_000  # maximum number of rows that a list not sorted by time may read
_IN_IDS: Final = frozenset("0123456789abcdef-")
_IN_ADDRESSES: Final = frozenset("0123456789abcdef:.")
_EXACT: Final = 1 << 53  # largest number up to which a float represents every integer exactly


def compile_page(
    database: str,
    scope: TenantScope,
    filter_: Filter,
    *,
    position: Position | None,
    limit: int,
    sort: Sort = NEWEST,
    window: Window = _ALL_TIME,
    marks_access: bool = False,
) -> Statement:
    """Compile a query for up to `limit` matching rows after the position, in the list's order.

    For a page before the position, the rows are in reverse order, so that the nearest come first. In a list sorted by
    time, only rows in the window are returned.

    Each row contains `line` (the event as JSON), the columns `statements.PLACE`, which make up a position, and `rank`.
    The rows may include copies of one event. With `marks_access`, `access` is 1 for events about access to the log.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    by = ordering(parameters, scope, sort, position)
    conditions += by.conditions
    up = ascending(sort, position)
    if window.near is not None:
        conditions.append(f"e.occurred_at {'>' if up else '<'} {parameters.time(window.near)}")
    if window.far is not None:
        conditions.append(f"e.occurred_at {'<' if up else '>'}= {parameters.time(window.far)}")
    access = f", {is_access(parameters)} AS access" if marks_access else ""
    compiled = select(
        f"{NAMED}, {PLACE}, {RANK}{access}",
        conditions,
        f"{by.order} LIMIT {parameters.add('UInt32', limit)}",
        parameters,
        before=by.before,
        of="copies",
    )
    shown = f"{JSON_LINE_OF_NAMED} AS line, content, occurred_us, id, rank{', access' if access else ''}"
    # On shards, this is computed from their rows: sent to them, it would lose the columns' names.
    compiled = replace(compiled, sql=f"SELECT {shown} FROM (\n{compiled.sql}\n)")  # noqa: S608 - placeholders
    if not sort.by_time:
        return replace(compiled, rows_read=SORTED_ROWS)
    return replace(compiled, settings=compiled.settings | _ANY_ORDER) if narrows(scope, filter_) else compiled


def compile_reach(
    database: str, scope: TenantScope, filter_: Filter, *, position: Position | None, sort: Sort, rows: int
) -> Statement:
    """Compile a query for how far the nearest `rows` events reach in a list by time. All events count, whether or not
    they match.

    Returns one row with the fields of `windows.Reach`. Copies are counted too, which only brings the edge nearer.
    """
    parameters = Parameters(database)
    up = ascending(sort, position)
    conditions = [of_tenant(parameters, scope), *_matches(parameters, Filter(filter_.since, filter_.until))]
    if position is not None:
        conditions.append(beside(parameters, position, descending=sort.descending))
    near, far = ("ASC", "DESC") if up else ("DESC", "ASC")
    source = f"FROM {{database:Identifier}}.{EVENTS} AS e\nWHERE " + "\n  AND ".join(conditions)
    lowest, highest = (f"toUnixTimestamp64Micro({one}(at))" for one in ("min", "max"))
    nearest, edge = (lowest, highest) if up else (highest, lowest)
    sql = (
        f"SELECT count() AS rows, {nearest} AS nearest, {edge} AS edge, toUnixTimestamp64Micro(ifNull(("
        f"SELECT e.occurred_at {source}\nORDER BY e.occurred_at {far} LIMIT 1), {parameters.time(0)})) AS farthest\n"
        f"FROM (SELECT e.occurred_at AS at {source}\nORDER BY e.occurred_at {near} "
        f"LIMIT {parameters.add('UInt64', rows)})"
    )
    return statement(sql, parameters)


def compile_one(database: str, scope: TenantScope, event_id: str, *, content_hash: str = "", limit: int) -> Statement:
    """Compile a query for the events with this id: first the event with this content, then the others in Kafka's order.

    The rows are the same as in `compile_page`.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, Filter())
    tenant, id_ = parameters.text(scope.tenant), parameters.add("UUID", event_id)
    # The inner query reads one narrow column of the tenant's rows; the view then reads a single key.
    source = f"{{database:Identifier}}.{EVENTS}"
    times = f"e.occurred_at IN (SELECT occurred_at FROM {source} WHERE tenant_id = {tenant} AND event_id = {id_})"  # noqa: S608 - placeholders
    conditions += [f"e.event_id = {id_}", times]
    first = f"e.content_hash = {parameters.hash(content_hash)} DESC, " if content_hash else ""
    order = f"ORDER BY {first}e.kafka_timestamp, e.kafka_offset, e.content_hash"
    return select(
        f"{JSON_LINE} AS line, {PLACE}", conditions, f"{order} LIMIT {parameters.add('UInt32', limit)}", parameters
    )


def compile_count(database: str, scope: TenantScope, filter_: Filter) -> Statement:
    """Compile a query that counts matching events.

    Its single row contains `rows`, and `bound`, the newest `ingested_at` in milliseconds.
    """
    parameters = Parameters(database)
    columns = "count() AS rows, toUnixTimestamp64Milli(max(e.ingested_at)) AS bound"
    return select(columns, where(parameters, scope, filter_), "", parameters)


def where(parameters: Parameters, scope: TenantScope, filter_: Filter) -> list[str]:
    """Compile a filter into conditions to be joined with AND. The scope's conditions (tenant and base filter) come
    first. Values are added to `parameters`.
    """
    conditions = [of_tenant(parameters, scope)]
    if scope.base_filter:
        conditions += _matches(parameters, filter_of(scope.base_filter))
    return conditions + _matches(parameters, filter_)


def are_shared(scope: TenantScope, filter_: Filter) -> bool:
    """Return whether the conditions of the scope and the filter hold for all copies of an event or for none.

    Whether an event is about access to the log does not depend on the copy either, since only auditlane's own trail may
    name itself as the source, and it always does.
    """
    every = where(Parameters(""), scope, replace(filter_, include_access=True))
    return all(map(is_shared, every))


def narrows(scope: TenantScope, filter_: Filter) -> bool:
    """Return whether the scope and the filter have conditions beyond the tenant, a time range and `include_access`."""
    return bool(scope.base_filter) or filter_.narrows


def within_base_filter(parameters: Parameters, scope: TenantScope) -> str:
    """Compile the condition that an event matches the scope's base filter."""
    conditions = _matches(parameters, filter_of(scope.base_filter)) if scope.base_filter else []
    return f"({' AND '.join(conditions) or 'true'})"


def of_tenant(parameters: Parameters, scope: TenantScope) -> str:
    """Compile the condition that an event belongs to the tenant."""
    return f"e.tenant_id = {parameters.text(scope.tenant)}"


def _matches(parameters: Parameters, filter_: Filter) -> list[str]:
    conditions = []
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
        # Separate, since some may be evaluated earlier than others.
        items = filter_.query.items if isinstance(filter_.query, And) else (filter_.query,)
        conditions += [condition(parameters, item) for item in items]
    if not filter_.include_access:
        conditions.append(f"NOT {is_access(parameters)}")
    if filter_.offsets is not None:
        places = [within_offsets(parameters, place, ranges) for place, ranges in filter_.offsets.items()]
        conditions.append(f"({' OR '.join(places) or 'false'})")
    return conditions


def is_access(parameters: Parameters) -> str:
    """Compile the condition that an event is one of auditlane's own about access to the log."""
    actions = parameters.add("Array(String)", sorted(ACCESS_ACTIONS))
    return f"(e.source = {parameters.text(TRAIL)} AND e.action IN {actions})"


def _in_partition(parameters: Parameters, place: PartitionKey) -> str:
    """Compile the condition that an event is in this partition."""
    topic, partition = parameters.add("UUID", place[0]), parameters.add("UInt32", place[1])
    return f"e.kafka_topic_id = {topic} AND e.kafka_partition = {partition}"


def within_offsets(parameters: Parameters, place: PartitionKey, ranges: Sequence[OffsetRange]) -> str:
    """Compile the condition that an event is at one of these offsets of the partition."""
    firsts = parameters.add("Array(UInt64)", [first for first, _ in ranges])
    lasts = parameters.add("Array(UInt64)", [last for _, last in ranges])
    inside = f"arrayExists((f, l) -> e.kafka_offset >= f AND e.kafka_offset <= l, {firsts}, {lasts})"
    return f"({_in_partition(parameters, place)} AND {inside})"


def _equals(parameters: Parameters, column: str, values: tuple[str, ...]) -> str:
    if column == "actor":
        array = parameters.add("Array(String)", list(values))
        # NULL does not match, just like false. Only the bare column can use its index.
        name = "ifNull(e.actor_name, '')" if "" in values else "e.actor_name"
        return f"(e.actor_id IN {array} OR {name} IN {array})"
    given = [value for value in values if value or column not in NULLABLE]
    if column == "ip":
        found = f"e.ip IN {parameters.add('Array(IPv6)', given)}"
    elif column == "event_id":
        found = f"e.event_id IN {parameters.add('Array(UUID)', given)}"
    else:
        left = f"toString(e.{column})" if column in CHOICES else f"e.{column}"
        found = f"{left} IN {parameters.add('Array(String)', given)}"
    if len(given) == len(values):
        return found
    # An empty value is stored as NULL, or as the empty string if the sender set it.
    absent = f"e.{column} IS NULL" if column == "ip" else f"ifNull(e.{column}, '') = ''"
    return f"({found} OR {absent})" if given else absent


def condition(parameters: Parameters, node: Node) -> str:
    """Compile a tree into a condition. Values are added to `parameters`.

    Every term is 0 or 1, never NULL, so that a negation matches events without a value.
    """
    match node:
        case And(items):
            return f"({' AND '.join(condition(parameters, item) for item in items)})"
        case Or(items):
            return f"({' OR '.join(condition(parameters, item) for item in items)})"
        case Not(item):
            return f"(NOT {condition(parameters, item)})"
        case Word(text):
            return occurs(parameters, text)
        case Span():
            return _span(parameters, node)
        case Compare(field, operator, value):
            return _compared(parameters, field, operator, value)
        case Between(field, low, high):
            return f"({_compared(parameters, field, '>=', low)} AND {_compared(parameters, field, '<=', high)})"
        case Within(field, network):
            whole = ipaddress.ip_network(network)
            return _addresses(parameters, field, whole[0], whole[-1])
        case Has(field):
            return _texts(parameters, field, "{} != ''")
        case Like(field, pieces):
            return _texts(parameters, field, f"{{}} LIKE {parameters.text(_pattern(pieces))}")
        case Match(field, value):
            return _match(parameters, field, value)


def occurs(parameters: Parameters, text: str) -> str:
    """Compile the condition that the text occurs in one of the event's text columns, its address, metadata or custom
    fields, ignoring case.

    Columns are searched one by one, because joining them into one string would take as long as searching it.
    """
    word = parameters.text(text)

    def found(where: str) -> str:
        return f"positionCaseInsensitiveUTF8({where}, {word}) > 0"

    tests = [f"ifNull({found(f'e.{name}')}, 0)" if name in NULLABLE else found(f"e.{name}") for name in FREE_TEXT]
    tests += [f"arrayExists(one -> {found('one')}, mapValues(e.{name}))" for name in ("metadata", "fields")]
    for name in ("outcome", "severity"):
        places = [place for place, choice in enumerate(CHOICES[name]) if text.lower() in choice.lower()]
        tests.append(f"toInt8(e.{name}) IN {parameters.add('Array(Int8)', places)}")
    # If the text cannot occur in an id or an address, `0 AND` saves ClickHouse formatting that column.
    for column, characters in (("event_id", _IN_IDS), ("ip", _IN_ADDRESSES)):
        possible = parameters.add("UInt8", int(characters.issuperset(text.lower())))
        tests.append(f"{possible} AND " + found(f"ifNull(toString(e.{column}), '')"))
    return f"({' OR '.join(f'({test})' for test in tests)})"


def _match(parameters: Parameters, field: Field, value: str) -> str:
    """Compile an equality test. Only a bare column can use its index, an expression cannot."""
    if field.kind is Kind.ip:
        address = ipaddress.ip_address(value)
        if field.group:
            return _addresses(parameters, field, address, address)
        return _is(field.name, parameters.add("IPv6", stored_address(address)))
    if field.kind is Kind.id:
        return f"(e.event_id = {parameters.add('UUID', value)})"
    text = parameters.text(value)
    if field.group or field.name in AS_TEXT or not value:
        return _texts(parameters, field, f"{{}} = {text}")
    return f"({' OR '.join(_is(column, text) for column in _columns(field))})"


def _is(column: str, value: str) -> str:
    test = f"e.{column} = {value}"
    return f"(isNotNull(e.{column}) AND {test})" if column in NULLABLE else test


def _columns(field: Field) -> tuple[str, ...]:
    return ("actor_id", "actor_name") if field.path == "actor" else (field.name,)


def _texts(parameters: Parameters, field: Field, test: str) -> str:
    """Compile a test of the field's text, which is empty if it has no value. For `actor`, the id or the name must
    pass.
    """
    texts = [_key(parameters, field)] if field.group else [_text(name) for name in _columns(field)]
    return f"({' OR '.join(test.replace('{}', text, 1) for text in texts)})"


def _text(column: str) -> str:
    text = AS_TEXT.get(column, f"e.{column}")
    return f"ifNull({text}, '')" if column in NULLABLE else text


def _key(parameters: Parameters, field: Field) -> str:
    return f"e.{field.group}[{parameters.text(field.name)}]"


def _addresses(
    parameters: Parameters,
    field: Field,
    first: ipaddress.IPv4Address | ipaddress.IPv6Address,
    last: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> str:
    left = f"toIPv6OrNull({_key(parameters, field)})" if field.group else "e.ip"
    low, high = (parameters.add("IPv6", stored_address(address)) for address in (first, last))
    return f"ifNull({left} >= {low} AND {left} <= {high}, 0)"


def _span(parameters: Parameters, span: Span) -> str:
    field = span.field
    custom = f"parseDateTime64BestEffortOrNull({_key(parameters, field)}, 6, 'UTC')" if field.group else ""
    left = custom or f"e.{field.name}"
    bounds = [f"{left} >= {parameters.time(span.since)}"] if span.since else []
    bounds += [f"{left} < {parameters.time(span.until)}"] if span.until else []
    both = " AND ".join(bounds)
    return f"ifNull({both}, 0)" if custom else f"({both})"


def _compared(parameters: Parameters, field: Field, operator: Operator, value: Number | str) -> str:
    if isinstance(value, str):
        return f"(toInt8(e.severity) {operator} {parameters.add('Int8', severity_rank(value))})"
    text = _key(parameters, field)
    if isinstance(value, int) and abs(value) > _EXACT:
        return f"ifNull(toInt64OrNull({text}) {operator} {parameters.add('Int64', value)}, 0)"
    return f"ifNull(toFloat64OrNull({text}) {operator} {parameters.add('Float64', float(value))}, 0)"


def _pattern(pieces: tuple[str, ...]) -> str:
    """Return a LIKE pattern for the pieces, with special characters escaped."""
    return "%".join(re.sub(r"([\\%_])", r"\\\1", piece) for piece in pieces)
