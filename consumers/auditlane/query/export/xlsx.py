"""Writes Excel workbooks row by row in constant memory. XlsxWriter keeps the rows in temporary files."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

SHEET_ROWS: Final = 1_048_576  # maximum number of rows in a sheet, including its header
CELL_CHARS: Final = 32_767
_EXACT_DIGITS: Final = 15  # number of significant digits that a numeric cell stores exactly
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_PIECE: Final = 1 << 20
_TIME_WIDTH, _TEXT_WIDTH = 23, 20
# Only `Worksheet.write`, which is not used, would turn text into links or formulas.
_OPTIONS: Final[dict[str, Any]] = {"constant_memory": True}


class Workbook:
    """Writes rows to one sheet after another. The Arrow columns contain numbers, booleans or text.

    Columns in `times` contain times as serial days, and columns in `numbers` contain numbers as text. Text never
    becomes a formula, regardless of its first character. Temporary files are in `folder`.
    """

    def __init__(
        self, titles: Sequence[str], times: Sequence[int], numbers: Sequence[int], folder: Path, *, sheet_rows: int
    ) -> None:
        self._titles, self._times, self._numbers = titles, frozenset(times), frozenset(numbers)
        self._path = folder / "log.xlsx"
        self._sheet_rows = sheet_rows
        self._book = xlsxwriter.Workbook(str(self._path), _OPTIONS | {"tmpdir": str(folder)})
        self._bold: Format = self._book.add_format({"bold": True})
        self._time: Format = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self._sheets = 0
        self._sheet = self._next_sheet()
        self._row = 1

    def add(self, batch: pa.RecordBatch) -> None:
        """Write the rows of a batch."""
        columns = [batch.column(place).to_pylist() for place in range(len(self._titles))]
        for cells in zip(*columns, strict=True):
            if self._row == self._sheet_rows:
                self._sheet = self._next_sheet()
                self._row = 1
            for place, cell in enumerate(cells):
                if cell is not None and cell != "":
                    self._write(place, cell)
            self._row += 1

    def end(self) -> Iterator[bytes]:
        """Complete the workbook, and yield its bytes in chunks."""
        self._book.close()
        with self._path.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece

    def _write(self, place: int, cell: Any) -> None:
        if isinstance(cell, str):
            if place in self._numbers and (number := number_of(cell)) is not None:
                self._sheet.write_number(self._row, place, number)
            else:
                self._sheet.write_string(self._row, place, shortened(cell))
        elif isinstance(cell, bool):
            self._sheet.write_boolean(self._row, place, cell)
        else:
            self._sheet.write_number(self._row, place, cell, self._time)

    def _next_sheet(self) -> Worksheet:
        self._sheets += 1
        sheet: Worksheet = self._book.add_worksheet(f"Log {self._sheets}" if self._sheets > 1 else "Log")
        sheet.freeze_panes(1, 0)
        for place, title in enumerate(self._titles):
            sheet.set_column(place, place, _TIME_WIDTH if place in self._times else _TEXT_WIDTH)
            sheet.write_string(0, place, shortened(title), self._bold)
        return sheet


def number_of(text: str) -> float | None:
    """Parse a number. Returns None if the text is not a number, or if a cell cannot represent it exactly."""
    if not _NUMBER.fullmatch(text) or sum(map(str.isdigit, text)) > _EXACT_DIGITS:
        return None
    number = float(text)
    return number if math.isfinite(number) else None


def shortened(text: str) -> str:
    """Return the text. If it does not fit in a cell, its beginning and the number of omitted characters are returned.

    Cells are limited in UTF-16 code units.
    """
    if len(text) <= CELL_CHARS // 2 or len(text.encode("utf-16-le")) // 2 <= CELL_CHARS:
        return text
    kept = text.encode("utf-16-le")[: 2 * (CELL_CHARS - 60)].decode("utf-16-le", errors="ignore")
    return f"{kept} … ({len(text) - len(kept)} more characters)"
