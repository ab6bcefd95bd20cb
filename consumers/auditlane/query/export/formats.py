"""The formats of an export, and the interface of their encoders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import pyarrow as pa

from auditlane.query.export.columns import Column
from auditlane.query.export.sentences import DEFAULT, Sentences

PDF_ROWS: Final = 5_000


class Format(StrEnum):
    """A file format."""

    csv = "csv"
    xlsx = "xlsx"
    jsonl = "jsonl"
    parquet = "parquet"
    pdf = "pdf"
    ocsf = "ocsf"

    @property
    def media_type(self) -> str:
        """The file's Content-Type."""
        return _MEDIA_TYPES[self]

    @property
    def label(self) -> str:
        """The name shown to users."""
        return _LABELS[self]

    @property
    def extension(self) -> str:
        """The extension of the file name, without a dot."""
        return "ocsf.jsonl" if self is Format.ocsf else self.value

    @property
    def document(self) -> bool:
        """Whether a separate process creates the file."""
        return self in (Format.pdf, Format.xlsx)

    @property
    def lines(self) -> bool:
        """Whether ClickHouse formats the rows as lines. If so, an export can resume after any whole line."""
        return self in (Format.csv, Format.jsonl, Format.ocsf)


_MEDIA_TYPES: Final = {
    Format.csv: "text/csv; charset=utf-8; header=present",
    Format.xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.jsonl: "application/jsonl; charset=utf-8",
    Format.parquet: "application/vnd.apache.parquet",
    Format.pdf: "application/pdf",
    Format.ocsf: "application/jsonl; charset=utf-8",
}
_LABELS: Final = {
    Format.csv: "CSV",
    Format.xlsx: "Excel",
    Format.jsonl: "JSON Lines",
    Format.parquet: "Parquet",
    Format.pdf: "PDF",
    Format.ocsf: "OCSF",
}


class OcsfVersion(StrEnum):
    """A version of the Open Cybersecurity Schema Framework. Version 1.9.0 has not been released yet."""

    v1_8_0 = "1.8.0"
    v1_9_0 = "1.9.0-dev"


class Dialect(StrEnum):
    """The kind of program for which a CSV file is written. Spreadsheets need a byte order mark and their own time
    format.
    """

    raw = "raw"
    spreadsheet = "spreadsheet"


class Separator(StrEnum):
    """The cell separator of a CSV file."""

    comma = "comma"
    semicolon = "semicolon"
    tab = "tab"

    @property
    def character(self) -> str:
        """The separator as a character."""
        return {"comma": ",", "semicolon": ";", "tab": "\t"}[self.value]


@dataclass(frozen=True, slots=True)
class Form:
    """The format and columns of a file.

    With `raw_formulas`, CSV cells that a spreadsheet would run as formulas are left unchanged. `ocsf_version` applies
    only to OCSF, and `dialect` and `separator` only to CSV. `zone` (IANA) applies to times in files for spreadsheets,
    and `sentences` applies to the column `sentence`.
    """

    format: Format
    columns: tuple[Column, ...]
    raw_formulas: bool = False
    ocsf_version: OcsfVersion = OcsfVersion.v1_8_0
    dialect: Dialect = Dialect.raw
    separator: Separator = Separator.comma
    zone: str = "UTC"
    sentences: Sentences = DEFAULT

    @property
    def sentence_place(self) -> int | None:
        """The index of the sentence column, or None if the form has no such column."""
        return next((place for place, column in enumerate(self.columns) if column.is_sentence), None)

    @property
    def local_times(self) -> bool:
        """Whether times are local to `zone`."""
        return self.format is Format.xlsx or (self.format is Format.csv and self.dialect is Dialect.spreadsheet)

    @property
    def titles(self) -> list[str]:
        """The titles of the columns. Titles of local times name the zone, since the times themselves do not."""
        local = self.local_times
        return [
            f"{column.title} ({self.zone})" if local and column.is_time else column.title for column in self.columns
        ]


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a file: the tenant, the number of events, the time (UTC, as text), and whether events about access
    to the log are included.
    """

    tenant: str
    rows: int
    made_at: str
    include_access: bool


class Encoder(Protocol):
    """Produces the bytes of a file. Call `begin`, then `add` for every batch of rows, and finally `end`, which
    completes the file.
    """

    def begin(self) -> bytes:
        """Return the first bytes."""
        ...

    def add(self, batch: pa.RecordBatch) -> bytes:
        """Return the bytes for more rows, which may be empty. `sql.compile_export` defines the columns."""
        ...

    def end(self) -> Iterable[bytes]:
        """Return the last bytes, in chunks."""
        ...

    def close(self) -> None:
        """Release all resources, even if the file is incomplete. May be called repeatedly."""
        ...


# A spreadsheet runs a cell with one of these prefixes as a formula. Full-width forms count in some locales.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
