"""Tests that a truncated result is always detected, wherever it is cut off."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
import urllib3.exceptions

from auditlane.query.clickhouse.executor import END_MARKER, TruncatedResult, batches, verified_batches
from auditlane.query.export.encoders import Lines
from auditlane.query.export.exporter import Export
from auditlane.runtime.errors import QueryTooLarge, StoreUnavailable


def arrow(*sizes: int) -> bytes:
    sink = io.BytesIO()
    texts = [("id", pa.string()), ("content", pa.string())]
    schema = pa.schema([("line", pa.binary()), ("occurred_us", pa.int64()), *texts])
    with pa.ipc.new_stream(sink, schema) as writer:
        for size in sizes:
            writer.write_batch(
                pa.record_batch([[b"x\n"] * size, [1] * size, ["a"] * size, ["b"] * size], schema=schema)
            )
    return sink.getvalue()


WHOLE = arrow(3, 0, 2)
ERROR = b"Code: 159. DB::Exception: Timeout exceeded: elapsed 30 seconds. (TIMEOUT_EXCEEDED) (version 26.9)\n"


class Body(io.BytesIO):
    """A response body that ends with a connection error."""

    def __init__(self, data: bytes, error: Exception | None = None) -> None:
        super().__init__(data)
        self._error = error

    def read(self, amt: int | None = -1, /) -> bytes:
        piece = super().read(amt)
        if not piece and self._error:
            raise self._error
        return piece


def test_a_complete_stream_is_read():
    assert WHOLE.endswith(END_MARKER)
    assert sum(batch.num_rows for batch in batches(Body(WHOLE))) == 5


def test_a_truncated_stream_is_detected_at_every_cut():
    for cut in range(len(WHOLE)):
        with pytest.raises(TruncatedResult):
            list(batches(Body(WHOLE[:cut])))


@pytest.mark.parametrize("cut", range(0, len(WHOLE) + 1, 5))
def test_an_error_in_the_body_is_detected(cut):
    with pytest.raises((TruncatedResult, QueryTooLarge)):
        list(verified_batches(Body(WHOLE[:cut] + ERROR)))


def test_an_error_in_the_body_is_mapped_to_its_exception():
    with pytest.raises(QueryTooLarge, match="exceeded its time limit"):
        list(verified_batches(Body(WHOLE + ERROR)))
    with pytest.raises(QueryTooLarge, match="exceeded its time limit"):
        list(verified_batches(Body(WHOLE[: -len(END_MARKER)] + ERROR)))


def test_a_broken_connection_is_reported():
    error = urllib3.exceptions.ProtocolError("IncompleteRead(12 bytes read)")
    with pytest.raises(StoreUnavailable, match="is incomplete"):
        list(verified_batches(Body(WHOLE[:-20], error)))


def test_an_export_with_too_few_rows_fails_at_its_end():
    export = Export(6, Lines(b"header\r\n"), batches(Body(WHOLE)), None)
    seen = []
    with pytest.raises(TruncatedResult, match="it has 5 of 6 rows"):
        seen.extend(export)
    assert b"".join(seen) == b"header\r\n" + b"x\n" * 5


def test_a_complete_export_succeeds():
    export = Export(5, Lines(), batches(Body(WHOLE)), None)
    assert list(export) == [b"x\n" * 3, b"x\n" * 2]
    assert export.written == 5
