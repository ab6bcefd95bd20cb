"""Writes PDF files, with a table on landscape pages. The number of rows is limited, since a document is built in
memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from fpdf import FPDF

from auditlane.query.export.glyphs import Glyphs

if TYPE_CHECKING:  # the drawing process imports as little as possible
    from auditlane.query.export.columns import Column
    from auditlane.query.export.formats import Heading

CELL_CHARS: Final = 1_000
_WIDTH, _HEIGHT, _MARGIN, _PADDING = 297.0, 210.0, 10.0, 1.5  # mm
_SIZE, _LINE = 7.0, 3.2  # font size in points, line height in mm
_MM_PER_POINT: Final = 25.4 / 72
_NARROWEST, _WIDEST = 10.0, 90.0  # mm


class Pdf:
    """An `Encoder` for text cells. The first rows determine the column widths."""

    def __init__(self, columns: Sequence[Column], heading: Heading, more_font: Path | None = None) -> None:
        self._document = FPDF(orientation="landscape", format="A4", unit="mm")
        self._document.set_auto_page_break(False)
        self._document.set_title(f"Audit log of {heading.tenant}")
        self._document.set_creator("auditlane")
        self._glyphs = Glyphs(self._document, more_font)
        self._titles = [self._glyphs.drawable(column.title) for column in columns]
        self._heading = heading
        self._widths: list[float] = []
        self._y = _HEIGHT

    def begin(self) -> bytes:
        return b""

    def add(self, batch: pa.RecordBatch) -> bytes:
        texts = [batch.column(place).to_pylist() for place in range(len(self._titles))]
        rows = [[self._glyphs.drawable(shortened(cell or "")) for cell in row] for row in zip(*texts, strict=True)]
        if not self._widths:
            self._widths = self._fitting(rows)
        for row in rows:
            self._row(row)
        return b""

    def end(self) -> Iterable[bytes]:
        if not self._widths:
            self._widths = self._fitting([])
            self._page()
        return (bytes(self._document.output()),)

    def _fitting(self, rows: list[list[str]]) -> list[float]:
        """Return the width of each column in mm. Narrow columns get the width that they need, and the others share the
        rest.
        """
        needs = [
            min(max(self._mm(title), *(self._mm(row[place]) for row in rows), _NARROWEST) + 2 * _PADDING, _WIDEST)
            for place, title in enumerate(self._titles)
        ]
        return shared(needs, _WIDTH - 2 * _MARGIN)

    def _mm(self, text: str) -> float:
        return self._glyphs.width(text) / 1000 * _SIZE * _MM_PER_POINT

    def _lines(self, text: str, width: float) -> list[str]:
        return self._glyphs.wrap(text, (width - 2 * _PADDING) / _MM_PER_POINT / _SIZE * 1000)

    def _row(self, cells: list[str]) -> None:
        """Draw one event line by line. An event that does not fit on the page continues on the next page."""
        columns = [self._lines(cell, width) for cell, width in zip(cells, self._widths, strict=True)]
        height = max(map(len, columns)) * _LINE
        if self._y + min(height, 4 * _LINE) > _HEIGHT - _MARGIN:
            self._page()
        for line in range(max(map(len, columns))):
            if self._y + _LINE > _HEIGHT - _MARGIN:
                self._page()
            x = _MARGIN
            for lines, width in zip(columns, self._widths, strict=True):
                if line < len(lines):
                    self._draw(x + _PADDING, self._y + _LINE * 0.8, lines[line])
                x += width
            self._y += _LINE
        self._y += 0.6
        self._rule(self._y, 220)
        self._y += 0.6

    def _page(self) -> None:
        self._document.add_page()
        self._y = _MARGIN
        access = "with" if self._heading.include_access else "without"
        made = f"Audit log of {self._heading.tenant} · {self._heading.rows} events · {self._heading.made_at}"
        made += f" · {access} events about access to the log"
        self._draw(_MARGIN + _PADDING, self._y + 3, made)
        number = str(self._document.page_no())
        self._draw(_WIDTH - _MARGIN - _PADDING - self._mm(number), self._y + 3, number)
        self._y += 6
        columns = [self._lines(title, width) for title, width in zip(self._titles, self._widths, strict=True)]
        x, height = _MARGIN, max(map(len, columns)) * _LINE + 1.5
        self._document.set_fill_color(238)
        self._document.rect(_MARGIN, self._y, _WIDTH - 2 * _MARGIN, height, style="F")
        self._document.set_fill_color(0)
        for lines, width in zip(columns, self._widths, strict=True):
            for place, line in enumerate(lines):
                self._draw(x + _PADDING, self._y + 0.6 + _LINE * (place + 0.8), line)
            x += width
        self._y += height + 0.6

    def _rule(self, y: float, grey: int) -> None:
        self._document.set_draw_color(grey)
        self._document.line(_MARGIN, y, _WIDTH - _MARGIN, y)

    def _draw(self, x: float, y: float, text: str) -> None:
        for font, run in self._glyphs.runs(text):
            self._document.set_font(font, size=_SIZE)
            self._document.text(x, y, run)
            x += self._mm(run)


def shortened(text: str) -> str:
    """Return the text. If it is too long for a cell, it is truncated and ends with a note about how much is missing."""
    if len(text) <= CELL_CHARS:
        return text
    return f"{text[:CELL_CHARS]}… ({len(text) - CELL_CHARS} more characters)"


def shared(needs: Sequence[float], room: float) -> list[float]:
    """Return widths that fill `room`. Narrow columns get the width that they need, and wide columns share the rest
    equally.
    """
    total = sum(needs)
    if total <= room:
        return [need + (room - total) * need / total for need in needs]
    widths, left, places = [0.0] * len(needs), room, sorted(range(len(needs)), key=lambda place: needs[place])
    for count, place in enumerate(places):
        widths[place] = min(needs[place], left / (len(needs) - count))
        left -= widths[place]
    return widths
