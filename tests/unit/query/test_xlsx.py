"""Tests workbooks. Text is never interpreted as a formula, dates are real dates, and sheets are limited in size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from workbook import sheets

from auditlane.query.export.xlsx import CELL_CHARS, Workbook, number_of, shortened


def made(folder: Path, titles: Sequence[str], columns: list[pa.Array], *, sheet_rows: int = 1_000) -> bytes:
    book = Workbook(titles, [0], [2], folder, sheet_rows=sheet_rows)
    book.add(pa.record_batch(columns, names=[f"c{place}" for place in range(len(columns))]))
    return b"".join(book.end())


def test_cells_have_their_types_and_texts_are_never_formulas(tmp_path):
    texts = ["=1+1", "+1", "@SUM(A1)", "http://x.example", "a\x01\nb", "", '<&>"é😀', None]
    numbers = ["-1.5", "=1", "1e5", "1234567890123456", "7", None, "", "007.0"]
    times, flags = [46354.78425] * 8, [True, False] * 4
    [[header, *rows]] = sheets(
        made(
            tmp_path, ["=Time", "Text", "Total", "Conflict"], [pa.array(one) for one in (times, texts, numbers, flags)]
        )
    )
    assert header == dict(zip("ABCD", ("=Time", "Text", "Total", "Conflict"), strict=True))
    assert {row["A"] for row in rows} == {46354.78425}
    assert [row["D"] for row in rows] == flags
    assert [row.get("B") for row in rows] == [*texts[:4], "a\x01\nb", None, *texts[6:]]
    assert [row.get("C") for row in rows] == [-1.5, "=1", "1e5", "1234567890123456", 7.0, None, None, 7.0]


def test_a_full_sheet_is_followed_by_another_with_the_header(tmp_path):
    columns = [pa.array([1.0] * 5), pa.array([f"t{row}" for row in range(5)])]
    found = sheets(made(tmp_path, ["Time", "Text"], columns, sheet_rows=3))
    assert [len(rows) for rows in found] == [3, 3, 2]
    assert all(rows[0] == {"A": "Time", "B": "Text"} for rows in found)
    assert [row["B"] for rows in found for row in rows[1:]] == [f"t{row}" for row in range(5)]


@pytest.mark.parametrize("text", ["x" * (CELL_CHARS + 1), "😀" * CELL_CHARS])
def test_long_texts_say_how_much_is_left_out(text):
    short = shortened(text)
    kept, _, left = short.partition(" … (")
    assert len(short.encode("utf-16-le")) // 2 <= CELL_CHARS
    assert text.startswith(kept)
    assert left == f"{len(text) - len(kept)} more characters)"
    assert shortened("x" * CELL_CHARS) == "x" * CELL_CHARS


@pytest.mark.parametrize(
    ("text", "number"), [("12.50", 12.5), ("+3", 3.0), ("1e3", None), ("٣", None), ("9" * 16, None)]
)
def test_only_exact_numbers_become_numbers(text, number):
    assert number_of(text) == number
