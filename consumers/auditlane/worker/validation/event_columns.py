"""Converts decoded columns to the columns of `audit.events`. It adds defaults and provenance, converts custom fields to
text, and splits rows by the table's partitions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from pyarrow import Table

from auditlane.contract.provenance import FILLABLE
from auditlane.contract.tenant_contract import Field, base_fields
from auditlane.runtime._pyarrow import Column, pa, pc
from auditlane.store.partitioning import Partitioning
from auditlane.worker.validation.batch import Codes, Vouched
from auditlane.worker.validation.decoder import BASE, DecodedBatch, arrow_type

# The rows where a field's default means "not set", by field, for each group of a `DecodedBatch`.
Standing = Sequence[Mapping[str, npt.NDArray[np.bool_]]]
TEXTS: Final = pa.map_(pa.string(), pa.string())
_MS: Final = pa.timestamp("ms", "UTC")
_US: Final = pa.timestamp("us", "UTC")

# In the table's order, with types that ClickHouse converts unambiguously.
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
        pa.field("provenance", pa.string()),
        pa.field("provenance_id", pa.string()),
        pa.field("defaulted", pa.list_(pa.string())),
    ]
)


def custom_fields_map(decoded: DecodedBatch) -> Column:
    """Return the custom fields as a map of strings, without null fields."""
    rows = len(decoded.rows)
    counts = np.zeros(rows, dtype=np.int64)
    names: list[str] = []
    texts: list[Column] = []
    orders, keys, before = [], [], 0
    for group in decoded.groups:
        fields, size = group.decoder.own, group.span.stop - group.span.start
        if not fields or not size:
            continue
        # `texts` contains all values of the first field, then of the second, and so on; this reads them row by row.
        orders.append((np.arange(len(fields) * size).reshape(len(fields), size).T + before).ravel())
        keys.append(np.tile(np.arange(len(names), len(names) + len(fields)), size))
        counts[group.span] = len(fields)
        names += [one.name for one in fields]
        texts += [_text(field, column) for field, column in zip(fields, group.own, strict=True)]
        before += len(fields) * size
    if not texts:
        none = pa.array([], pa.string())
        return pa.MapArray.from_arrays(pa.array(np.zeros(rows + 1, dtype=np.int32)), none, none)
    values, order, key = pa.concat_arrays(texts), np.concatenate(orders), np.concatenate(keys)
    if values.null_count:
        valid = values.is_valid().to_numpy(zero_copy_only=False)[order]
        counts = np.bincount(np.repeat(np.arange(rows), counts)[valid], minlength=rows)
        order, key = order[valid], key[valid]
    offsets = np.zeros(rows + 1, dtype=np.int32)
    np.cumsum(counts, out=offsets[1:])
    return pa.MapArray.from_arrays(
        pa.array(offsets), pa.array(names, pa.string()).take(pa.array(key)), values.take(pa.array(order))
    )


def _text(field: Field, column: Column) -> Column:
    """Convert a column to text. Numbers are written in the shortest form that parses back exactly, and times in RFC
    3339 with microseconds.
    """
    if field.kind == "timestamp":
        return pc.binary_replace_slice(column.cast(_US).cast(pa.string()), 10, 11, "T")
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def event_rows(
    decoded: DecodedBatch,
    *,
    topic: str,
    topic_id: str,
    partition: int,
    offsets: npt.NDArray[np.int64],
    timestamps_ms: npt.NDArray[np.int64],
    ingested_at_ms: int,
    vouched: Vouched,
    standing: Standing,
) -> Table:
    """Build the rows of `audit.events`, in the columns of `EVENTS`.

    Ids are converted to lower case, an empty `ip` or `user_agent` to null, and custom fields to text. `offsets` and
    `timestamps_ms` cover all messages of the range.
    """
    rows = len(decoded.rows)
    columns = {name: decoded.base.column(name) for name in BASE.names}
    columns["event_id"] = pc.ascii_lower(columns["event_id"])
    columns["occurred_at"] = columns["occurred_at"].cast(_US)
    for name in ("ip", "user_agent"):
        columns[name] = _empty_to_null(columns[name])
    schema_ids = np.zeros(rows, dtype=np.uint32)
    for group in decoded.groups:
        schema_ids[group.span] = group.schema_id
    columns |= {
        "fields": custom_fields_map(decoded),
        "schema_id": pa.array(schema_ids),
        "ingested_at": pa.array(np.full(rows, ingested_at_ms, dtype=np.int64)).cast(_MS),
        "kafka_topic": pa.repeat(topic, rows),
        "kafka_topic_id": pa.repeat(topic_id, rows),
        "kafka_partition": pa.array(np.full(rows, partition, dtype=np.uint32)),
        "kafka_offset": pa.array(offsets[decoded.rows].astype(np.uint64)),
        "kafka_timestamp": pa.array(timestamps_ms[decoded.rows]).cast(_MS),
        **_provenance(vouched, vouched.codes[decoded.rows], topic),
        "defaulted": defaulted(decoded, vouched, standing),
    }
    table: Table = pa.Table.from_arrays([columns[name] for name in EVENTS.names], schema=EVENTS)
    return table


def _provenance(vouched: Vouched, codes: Codes, topic: str) -> dict[str, Column]:
    """Return the provenance columns: the client for messages that the gateway signed, and the topic for all others."""
    if not vouched.claims:
        return {"provenance": pa.repeat("kafka", len(codes)), "provenance_id": pa.repeat(topic, len(codes))}
    names = pa.array([topic, *(claim.client_id for claim in vouched.claims)])
    return {
        "provenance": pa.array(["kafka", "gateway"]).take(pa.array((codes > 0).astype(np.int32))),
        "provenance_id": names.take(pa.array(codes)),
    }


def defaulted(decoded: DecodedBatch, vouched: Vouched, standing: Standing) -> Column:
    """Return, for each row, the fields that its producer did not set. These are the fields that the gateway filled in,
    and custom fields with the default that means "not set".

    Events that are older than a field get its default.
    """
    found: list[tuple[str, npt.NDArray[np.int64]]] = []
    codes = vouched.codes[decoded.rows]
    for name in sorted(FILLABLE if vouched.claims else ()):
        filled = np.array([False, *(name in claim.filled for claim in vouched.claims)])
        found.append((name, np.flatnonzero(filled[codes])))
    for group, stands in zip(decoded.groups, standing, strict=True):
        for field, column in zip(group.decoder.own, group.own, strict=True):
            if field.name in stands and stands[field.name].any():
                unset = _equal(column, field.default) & stands[field.name]
                found.append((field.name, group.span.start + np.flatnonzero(unset)))
    rows = np.concatenate([which for _, which in found]) if found else np.zeros(0, dtype=np.int64)
    names = np.repeat(np.arange(len(found)), [len(which) for _, which in found]) if found else rows
    order = np.argsort(rows, kind="stable")
    offsets = np.zeros(len(decoded.rows) + 1, dtype=np.int32)
    np.cumsum(np.bincount(rows, minlength=len(decoded.rows)), out=offsets[1:])
    texts = pa.array([name for name, _ in found], pa.string()).take(pa.array(names[order]))
    return pa.ListArray.from_arrays(pa.array(offsets), texts)


def _equal(column: Column, default: object) -> npt.NDArray[np.bool_]:
    try:
        same = pc.equal(column, pa.scalar(default, column.type))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):  # a default of another type equals no value
        return np.zeros(len(column), dtype=bool)
    return np.asarray(same.fill_null(False).to_numpy(zero_copy_only=False))


class RowsByPeriod(Mapping[int, Table]):
    """Rows of each period. A period's table is a slice made on demand, since a range can have thousands of periods."""

    def __init__(self, table: Table, spans: Mapping[int, tuple[int, int]]) -> None:
        """Take rows that are ordered by period, and the first row and the number of rows of each period."""
        self._table, self._spans = table, spans

    def __getitem__(self, period: int) -> Table:
        return self._table.slice(*self._spans[period])

    def __iter__(self) -> Iterator[int]:
        return iter(self._spans)

    def __len__(self) -> int:
        return len(self._spans)


def by_period(table: Table, partitioning: Partitioning) -> RowsByPeriod:
    """Split the rows by the period of occurred_at, in ascending order of periods, keeping the order of their rows."""
    unit = "datetime64[M]" if partitioning is Partitioning.MONTH else "datetime64[D]"
    times = table["occurred_at"].cast(pa.int64()).to_numpy().astype("datetime64[us]").astype(unit)
    if table.num_rows == 0:
        return RowsByPeriod(table, {})
    if times.min() == times.max():
        return RowsByPeriod(table, {partitioning.period(times[0].item()): (0, table.num_rows)})
    order = np.argsort(times, kind="stable")
    found, firsts, counts = np.unique(times[order], return_index=True, return_counts=True)
    spans = zip(firsts.tolist(), counts.tolist(), strict=True)
    return RowsByPeriod(
        table.take(pa.array(order)), dict(zip(map(partitioning.period, found.tolist()), spans, strict=True))
    )


def _empty_to_null(column: Column) -> Column:
    empty = pc.equal(column, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), column) if pc.any(empty).as_py() else column
