"""The encoder of each format, which turns rows into the bytes of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from auditlane.query.export.columns import Column
from auditlane.query.export.formats import FORMULA_STARTS, Encoder, Form, Format, Heading

if TYPE_CHECKING:
    from auditlane.query.export.pdf_process import PdfBounds


class Lines:
    """An `Encoder` for CSV and JSON Lines, which ClickHouse formats: column 0 is a line including its line break."""

    def __init__(self, header: bytes = b"") -> None:
        self._header = header

    def begin(self) -> bytes:
        return self._header

    def add(self, batch: pa.RecordBatch) -> bytes:
        return b"".join(cast(list[bytes], batch.column(0).to_pylist()))

    def end(self) -> bytes:
        return b""

    def close(self) -> None:
        pass


def encoder(
    form: Form, heading: Heading, more_font: Path | None = None, pdf_bounds: PdfBounds | None = None
) -> Encoder:
    """Make the encoder for a form; the libraries of the rarer formats are imported only when needed."""
    if form.format is Format.parquet:
        from auditlane.query.export.parquet import Parquet

        return Parquet(form.columns)
    if form.format is Format.pdf:
        from auditlane.query.export.pdf_process import PdfProcess

        return PdfProcess(form.columns, heading, more_font, pdf_bounds)
    if form.format is Format.ocsf:
        from auditlane.query.export.ocsf.encoder import OcsfLines

        return OcsfLines(form.ocsf_version)
    return Lines(_csv_header(form.columns, raw=form.raw_formulas) if form.format is Format.csv else b"")


def _csv_header(columns: Sequence[Column], *, raw: bool) -> bytes:
    titles = [column.title if raw else neutral(column.title) for column in columns]
    return (",".join('"' + title.replace('"', '""') + '"' for title in titles) + "\r\n").encode()


def neutral(text: str) -> str:
    """Return the text, prefixed with an apostrophe if a spreadsheet would run it as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
