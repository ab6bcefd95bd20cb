"""The formats of an export: what each is called, and how rows become its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import pyarrow as pa

from auditlane.query.export.columns import Column

PDF_ROWS: Final = 5_000


class Format(StrEnum):
    """What a file can be."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"
    pdf = "pdf"

    @property
    def media_type(self) -> str:
        """The Content-Type of such a file."""
        return _MEDIA_TYPES[self]

    @property
    def label(self) -> str:
        """Its name for people."""
        return {"csv": "CSV", "jsonl": "JSON Lines", "parquet": "Parquet", "pdf": "PDF"}[self]

    @property
    def lines(self) -> bool:
        """Whether ClickHouse makes the lines itself, so that any prefix of whole lines can be gone on with."""
        return self in (Format.csv, Format.jsonl)


_MEDIA_TYPES: Final = {
    Format.csv: "text/csv; charset=utf-8; header=present",
    Format.jsonl: "application/jsonl; charset=utf-8",
    Format.parquet: "application/vnd.apache.parquet",
    Format.pdf: "application/pdf",
}


@dataclass(frozen=True, slots=True)
class Form:
    """What a file is to look like. `raw_formulas` leaves cells of a CSV as they are that a spreadsheet would run."""

    format: Format
    columns: tuple[Column, ...]
    raw_formulas: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """What a file may say about itself: whose log it is, how many events it has, and the time (UTC, as text)."""

    tenant: str
    rows: int
    made_at: str


class Encoder(Protocol):
    """Makes a file's bytes: `begin`, then `add` for every batch of rows, then `end`; a file without `end` is broken."""

    def begin(self) -> bytes:
        """The first bytes."""
        ...

    def add(self, batch: pa.RecordBatch) -> bytes:
        """The bytes of some more rows, or nothing yet. Columns are those that `sql.compile_export` selects."""
        ...

    def end(self) -> bytes:
        """The last bytes."""
        ...

    def close(self) -> None:
        """Give up what is held, also before the end; any number of times."""
        ...


# A spreadsheet runs a cell that begins so as a formula; the full-width forms count in some locales.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
