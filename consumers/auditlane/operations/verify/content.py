"""Compares stored rows with their messages, one value at a time.

Stored values are read back as text and numbers, and are compared here. The comparison therefore does not
repeat an error in the conversion of rows for ClickHouse.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.contract.tenant_contract import base_fields
from auditlane.operations.selection import Span
from auditlane.runtime._pyarrow import pa
from auditlane.store.client import store_errors

_WHOLE: Final = {"wait_end_of_query": 1}  # makes a failure halfway an error instead of a shorter result
_HASH: Final = "content_hash"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _address(given: Any) -> Any:
    """Convert an address to IPv6, the form in which it is stored."""
    if given is None:
        return None
    address = ipaddress.ip_address(given)
    return address if address.version == 6 else ipaddress.IPv6Address(f"::ffff:{address}")


def _since_1970(unit: timedelta) -> Callable[[Any], int]:
    return lambda given: (given - _EPOCH) // unit


# Name -> the column's SQL expression; `_READ` converts its result for comparison with the sent value.
_SHOWN: Final[dict[str, str]] = {
    **{name: f"`{name}`" for name in (*base_fields(), "fields", "schema_id")},
    **{name: f"toString(`{name}`)" for name in ("event_id", "outcome", "severity", "ip")},
    "occurred_at": "toUnixTimestamp64Micro(occurred_at)",
    "kafka_timestamp": "toUnixTimestamp64Milli(kafka_timestamp)",
}
_SENT: Final[dict[str, Callable[[Any], Any]]] = {
    "occurred_at": _since_1970(timedelta(microseconds=1)),
    "kafka_timestamp": _since_1970(timedelta(milliseconds=1)),
    "metadata": dict,
    "fields": dict,
    "ip": _address,
}
_TIME: Final = list(_SHOWN).index("kafka_timestamp")
_READ: Final[dict[str, Callable[[Any], Any]]] = {"ip": _address}


class StoredContent:
    """Compares the rows of one span in `table`, which is quoted, with the rows that its messages produce."""

    def __init__(self, client: Client, table: str, span: Span) -> None:
        self._client = client
        self._table = table
        self._span = span
        self._hash: str | None = None

    def differing(self, sent: Sequence[pa.Table]) -> dict[int, str]:
        """Return the offsets of rows that differ from the expected rows (`sent`), with the names of the differing
        fields.

        `sent` contains the columns of `event_columns.EVENTS`. Offsets without a stored row are ignored. Raises
        StoreUnavailable or StoreRefused.
        """
        expected = {row[0]: row[1:] for table in sent for row in _sent_rows(table)}
        times = [values[_TIME] for values in expected.values()]
        found: dict[int, str] = {}
        seen: set[int] = set()
        # The times let ClickHouse skip most of the table; a second query, without them, finds the remaining rows.
        for bounds in (_bounds(times), ""):
            left = expected.keys() - seen
            if not left:
                break
            for offset, *values, hashed in self._stored(min(left), max(left), bounds):
                if offset not in left:
                    continue
                seen.add(offset)
                pairs = zip(_SHOWN, expected[offset], values, strict=True)
                names = [name for name, wanted, value in pairs if wanted != value]
                if names or not hashed:
                    found[offset] = ", ".join(names or [_HASH])
        return found

    def _stored(self, first: int, last: int, bounds: str) -> Iterator[tuple[Any, ...]]:
        shown = ", ".join(_SHOWN.values())
        query = (
            f"SELECT kafka_offset, {shown}, {_HASH} = ({self._expression()}) FROM {self._table} "  # noqa: S608 - our names
            f"WHERE kafka_topic_id = '{self._span.topic_id}' AND kafka_partition = {self._span.partition.number} "
            f"AND kafka_offset BETWEEN {first} AND {last}{bounds}"
        )
        with store_errors():
            columns = self._client.query(query, settings=_WHOLE, column_oriented=True).result_columns
        if not columns:
            return iter(())
        offsets, *values, hashed = columns
        read = [_each(_READ.get(name), column) for name, column in zip(_SHOWN, values, strict=True)]
        return zip(map(int, offsets), *read, hashed, strict=True)

    def _expression(self) -> str:
        if self._hash is None:
            with store_errors():
                [(expression,)] = self._client.query(
                    "SELECT default_expression FROM system.columns WHERE concat('`', database, '`.`', table, '`') = "
                    "{table:String} AND name = {name:String}",
                    parameters={"table": self._table, "name": _HASH},
                ).result_rows
            self._hash = str(expression)
        return self._hash


def _bounds(times_ms: Sequence[int]) -> str:
    low, high = (f"fromUnixTimestamp64Milli({at})" for at in (min(times_ms, default=0), max(times_ms, default=0)))
    return f" AND kafka_timestamp BETWEEN {low} AND {high}"


def _sent_rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    columns = [_each(_SENT.get(name), table.column(name).to_pylist()) for name in _SHOWN]
    return zip(table.column("kafka_offset").to_pylist(), *columns, strict=True)


def _each(made: Callable[[Any], Any] | None, column: Iterable[Any]) -> Iterable[Any]:
    return column if made is None else map(made, column)
