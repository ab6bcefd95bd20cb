"""Decoded columns into the columns of `audit.events`: defaults, text of the tenant's own fields, months."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from pyarrow import RecordBatch, Table

from auditlane.contract.avro import base_schema
from auditlane.contract.structure import Field, TenantContract, base_fields
from auditlane.worker.arrow import Column, pa, pc
from auditlane.worker.decode import arrow_type

TEXTS: Final = pa.map_(pa.string(), pa.string())
_MS: Final = pa.timestamp("ms", "UTC")
_US: Final = pa.timestamp("us", "UTC")

BASE: Final = pa.schema([pa.field(one.name, arrow_type(one)) for one in base_fields().values()])
DECODED: Final = BASE.append(pa.field("fields", TEXTS)).append(pa.field("schema_id", pa.uint32()))
# The order is the table's; the types are those that ClickHouse reads as the table's without guessing.
EVENTS: Final = pa.schema(
    [
        *(pa.field(one.name, _US if one.kind == "timestamp" else arrow_type(one)) for one in base_fields().values()),
        pa.field("fields", TEXTS),
        pa.field("schema_id", pa.uint32()),
        pa.field("ingested_at", _MS),
        pa.field("kafka_topic", pa.string()),
        pa.field("kafka_topic_id", pa.string()),
        pa.field("kafka_partition", pa.uint32()),
        pa.field("kafka_offset", pa.uint64()),
        pa.field("kafka_timestamp", _MS),
    ]
)
_DEFAULTS: Final = {one["name"]: one.get("default") for one in base_schema()["fields"]}


def base_columns(contract: TenantContract, batch: RecordBatch, schema_id: int) -> RecordBatch:
    """A batch in the columns of `DECODED`: base fields that the contract lacks take their defaults."""
    rows = batch.num_rows
    columns = [
        batch.column(name)
        if batch.schema.get_field_index(name) >= 0
        else pa.array([[] if _DEFAULTS[name] == {} else _DEFAULTS[name]] * rows, BASE.field(name).type)
        for name in BASE.names
    ]
    own = [(one, batch.column(one.name)) for one in contract.own]
    ids = pa.array(np.full(rows, schema_id, dtype=np.uint32))
    decoded: RecordBatch = pa.RecordBatch.from_arrays([*columns, own_texts(own, rows), ids], schema=DECODED)
    return decoded


def own_texts(own: list[tuple[Field, Column]], rows: int) -> Column:
    """The tenant's own fields as a map of texts, a null field's key absent."""
    if not own:
        return pa.MapArray.from_arrays(
            pa.array(np.zeros(rows + 1, dtype=np.int32)), pa.array([], pa.string()), pa.array([], pa.string())
        )
    texts = [_text(field, column) for field, column in own]
    valid = np.column_stack([column.is_valid().to_numpy(zero_copy_only=False) for column in texts])
    # All values of the first field, then of the second, …; read row by row, without the nulls.
    order = np.arange(rows * len(own), dtype=np.int64).reshape(len(own), rows).T[valid]
    offsets = np.zeros(rows + 1, dtype=np.int32)
    np.cumsum(valid.sum(axis=1), out=offsets[1:])
    names = pa.array([field.name for field, _ in own])
    keys = names.take(pa.array(order // max(rows, 1)))
    return pa.MapArray.from_arrays(pa.array(offsets), keys, pa.concat_arrays(texts).take(pa.array(order)))


def _text(field: Field, column: Column) -> Column:
    """Text as is, numbers in the shortest form that reads back as the same, RFC 3339 with microseconds and Z."""
    if field.kind == "timestamp":
        return pc.binary_replace_slice(column.cast(_US).cast(pa.string()), 10, 11, "T")
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def event_rows(
    decoded: RecordBatch,
    *,
    topic: str,
    topic_id: str,
    partition: int,
    offsets: npt.NDArray[np.int64],
    timestamps_ms: npt.NDArray[np.int64],
    ingested_at_ms: int,
) -> Table:
    """Rows of `audit.events` in the columns of `EVENTS` from accepted rows in the columns of `DECODED`."""
    rows = decoded.num_rows
    columns = {name: decoded.column(name) for name in DECODED.names}
    columns["event_id"] = pc.ascii_lower(columns["event_id"])
    columns["occurred_at"] = columns["occurred_at"].cast(_US)
    for name in ("ip", "user_agent"):
        columns[name] = _empty_to_null(columns[name])
    columns |= {
        "ingested_at": pa.array(np.full(rows, ingested_at_ms, dtype=np.int64)).cast(_MS),
        "kafka_topic": pa.repeat(topic, rows),
        "kafka_topic_id": pa.repeat(topic_id, rows),
        "kafka_partition": pa.array(np.full(rows, partition, dtype=np.uint32)),
        "kafka_offset": pa.array(offsets.astype(np.uint64)),
        "kafka_timestamp": pa.array(timestamps_ms).cast(_MS),
    }
    table: Table = pa.Table.from_arrays([columns[name] for name in EVENTS.names], schema=EVENTS)
    return table


def by_month(table: Table) -> dict[int, Table]:
    """Month (yyyymm, UTC) of occurred_at -> its rows in order."""
    if table.num_rows == 0:
        return {}
    months = (
        table["occurred_at"]
        .cast(pa.int64())
        .to_numpy()
        .astype("datetime64[us]")
        .astype("datetime64[M]")
        .astype(np.int64)
    )
    if months.min() == months.max():
        return {_yyyymm(int(months[0])): table}
    return {_yyyymm(month): table.filter(pa.array(months == month)) for month in np.unique(months).tolist()}


def _yyyymm(months_since_1970: int) -> int:
    return (1970 + months_since_1970 // 12) * 100 + months_since_1970 % 12 + 1


def _empty_to_null(column: Column) -> Column:
    empty = pc.equal(column, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), column) if pc.any(empty).as_py() else column
