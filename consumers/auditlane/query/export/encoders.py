"""Encoders, one per format, which turn rows into a file's bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from auditlane.query.export.formats import FORMULA_STARTS, Dialect, Encoder, Form, Format, Heading
from auditlane.query.export.sentences import with_sentences

if TYPE_CHECKING:
    from auditlane.query.export.document_process import DocumentBounds


class Lines:
    """An `Encoder` for CSV and JSON Lines, which ClickHouse formats. Column 0 contains lines with their line breaks."""

    def __init__(self, header: bytes = b"") -> None:
        self._header = header

    def begin(self) -> bytes:
        return self._header

    def add(self, batch: pa.RecordBatch) -> bytes:
        # The lines follow each other in the column's buffer.
        lines: Any = batch.column(0)
        _, offsets, data = lines.buffers()
        ends = memoryview(offsets).cast("i")
        first, last = ends[lines.offset], ends[lines.offset + len(lines)]
        text: bytes = data.slice(first, last - first).to_pybytes()
        return text

    def end(self) -> Iterable[bytes]:
        return ()

    def close(self) -> None:
        pass


def encoder(
    form: Form,
    heading: Heading,
    more_font: Path | None = None,
    bounds: DocumentBounds | None = None,
) -> Encoder:
    """Make the encoder for a form. Libraries for less common formats are imported only when needed."""
    if form.format is Format.parquet:
        from auditlane.query.export.parquet import Parquet

        return Parquet(form.columns)
    if form.format.document:
        from auditlane.query.export.document_process import DocumentProcess

        return DocumentProcess(form, heading, more_font, bounds)
    if form.format is Format.ocsf:
        from auditlane.query.export.ocsf.encoder import OcsfLines

        return OcsfLines(form.ocsf_version)
    return Lines(_csv_header(form) if form.format is Format.csv else b"")


def completed(batches: Iterator[pa.RecordBatch], form: Form) -> Iterator[pa.RecordBatch]:
    """Return the batches, with sentences added if the form needs them."""
    place = form.sentence_place
    if place is None:
        return batches
    quote = partial(_csv_text, raw=form.raw_formulas) if form.format is Format.csv else _json_text
    return with_sentences(batches, form.sentences, place, quote if form.format.lines else None)


def _csv_text(text: str, *, raw: bool) -> str:
    return (text if raw else neutral(text)).replace('"', '""')


def _json_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _csv_header(form: Form) -> bytes:
    titles = [title if form.raw_formulas else neutral(title) for title in form.titles]
    line = form.separator.character.join('"' + title.replace('"', '""') + '"' for title in titles) + "\r\n"
    # Without a BOM, Excel assumes the encoding of the user's region.
    return line.encode("utf-8-sig" if form.dialect is Dialect.spreadsheet else "utf-8")


def neutral(text: str) -> str:
    """Return the text. If a spreadsheet would run it as a formula, it is prefixed with an apostrophe."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
