"""Encodes OCSF as JSON Lines, with one OCSF event per line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import pyarrow as pa
from pydantic_core import from_json, to_json

from auditlane.query.export.formats import OcsfVersion
from auditlane.query.export.ocsf.event import ocsf_event


class OcsfLines:
    """An `Encoder` that maps ClickHouse's JSON lines (column 0 of each batch) to OCSF."""

    def __init__(self, version: OcsfVersion) -> None:
        self._version = version

    def begin(self) -> bytes:
        return b""

    def add(self, batch: pa.RecordBatch) -> bytes:
        lines = cast(list[bytes], batch.column(0).to_pylist())
        return b"".join([_line(line, self._version) for line in lines])

    def end(self) -> Iterable[bytes]:
        return ()

    def close(self) -> None:
        pass


def _line(line: bytes, version: OcsfVersion) -> bytes:
    try:
        row = from_json(line)
    except ValueError:  # text that is not valid UTF-8
        row = from_json(line.decode(errors="replace"))
    # Numbers in `before` or `after` may be too large for a float.
    return to_json(ocsf_event(row, version), inf_nan_mode="strings") + b"\n"
