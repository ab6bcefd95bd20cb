"""Tests PDF pages and Parquet files. The text of a page is complete and fits in any font, and row groups are limited in
size.
"""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pypdf
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fpdf import FPDF
from hypothesis import given
from hypothesis import strategies as st

from auditlane.query.export.columns import Column
from auditlane.query.export.encoders import Lines, neutral
from auditlane.query.export.formats import Heading
from auditlane.query.export.glyphs import Glyphs
from auditlane.query.export.parquet import GROUP_ROWS, Parquet
from auditlane.query.export.pdf import CELL_CHARS, Pdf, shared, shortened
from auditlane.runtime.errors import ConfigError

COLUMNS = (Column("action", "Action"), Column("note", "Their note", custom=True))
HEADING = Heading("acme", 3, "2026-03-01 12:00 UTC", include_access=False)
GLYPHS = Glyphs(FPDF())


@pytest.fixture(scope="module")
def chinese(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a font with a single character, and return its path."""
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((800, 0))
    pen.lineTo((400, 800))
    pen.closePath()
    glyph, names = pen.glyph(), [".notdef", "uni4E2D"]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({0x4E2D: "uni4E2D"})
    font.setupGlyf(dict.fromkeys(names, glyph))
    font.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "One", "styleName": "Regular", "psName": "One"})
    font.setupOS2()
    font.setupPost()
    path = tmp_path_factory.mktemp("font") / "one.ttf"
    font.save(path)
    return path


def page_texts(*rows: tuple[str | None, str | None], font: Path | None = None) -> list[str]:
    pdf = Pdf(COLUMNS, HEADING, font)
    batch = pa.record_batch([pa.array([row[place] for row in rows], pa.string()) for place in (0, 1)], names=["a", "b"])
    data = pdf.begin() + pdf.add(batch) + b"".join(pdf.end())
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages]


def test_missing_characters_are_drawn_as_code_points() -> None:
    (page,) = page_texts(("Zażółć gęślą jaźń", "Ελλάδα Россия"), ("שלום عربي", "中文 🎉"), (None, "a\r\nb\x00"))
    for text in ("Zażółć gęślą jaźń", "Ελλάδα Россия", "⟨U+4E2D⟩⟨U+6587⟩ ⟨U+1F389⟩", "a↵b⟨U+0000⟩", "acme · 3 events"):
        assert text in page
    assert "Their note" in page
    assert "ש" in page
    assert "ع" in page


def test_a_configured_font_draws_characters_missing_from_the_default(chinese: Path, tmp_path: Path) -> None:
    (page,) = page_texts(("中", "before 中 after 文"), font=chinese)
    assert page.count("中") == 2
    assert "⟨U+6587⟩" in page
    (tmp_path / "no.ttf").write_text("no font")
    with pytest.raises(ConfigError, match="AUDITLANE_EXPORT_FONT"):
        Pdf(COLUMNS, HEADING, tmp_path / "no.ttf")


def test_an_event_higher_than_a_page_continues_on_the_next() -> None:
    pages = page_texts(*[("many", "word " * 200)] * 40, ("last", "x"))
    assert len(pages) > 1
    assert sum(page.count("word") for page in pages) == 40 * 200
    assert "last" in pages[-1]
    assert all("Their note" in page for page in pages)


def test_truncated_text_states_how_much_is_missing() -> None:
    assert shortened("x" * CELL_CHARS) == "x" * CELL_CHARS
    assert shortened("x" * (CELL_CHARS + 7)).endswith("x… (7 more characters)")


@given(st.text("ab  ü中\n", max_size=60), st.integers(500, 5_000))
def test_wrapped_lines_fit_and_keep_all_of_the_text(text: str, most: int) -> None:
    shown = GLYPHS.drawable(text)
    lines = GLYPHS.wrap(shown, most)
    assert "".join(lines).replace(" ", "") == shown.replace(" ", "")
    assert all(GLYPHS.width(line.rstrip(" ")) <= most or len(line) == 1 for line in lines)


@given(st.lists(st.floats(5, 400), min_size=1, max_size=30))
def test_columns_share_the_page(needs: list[float]) -> None:
    widths = shared(needs, 277.0)
    assert sum(widths) == pytest.approx(277.0)
    if sum(needs) > 277.0:
        assert all(width <= need + 1e-6 for width, need in zip(widths, needs, strict=True))


def test_a_formula_in_a_name_does_not_run() -> None:
    assert [neutral(one) for one in ("=1", "-x", "＝1", "\tx", "Name", "")] == [
        "'=1",
        "'-x",
        "'＝1",
        "'\tx",
        "Name",
        "",
    ]


@given(st.lists(st.binary(max_size=5), min_size=1), st.integers(0, 9), st.integers(0, 9))
def test_the_lines_of_a_batch_are_joined(lines: list[bytes], first: int, count: int) -> None:
    batch = pa.record_batch({"line": pa.array(lines, pa.binary())})
    assert Lines().add(batch.slice(first, count)) == b"".join(lines[first : first + count])


def test_row_groups_are_bounded_and_released_when_complete() -> None:
    parquet = Parquet(COLUMNS)
    batch = pa.record_batch([pa.array(["x"] * 20_000), pa.array([None] * 20_000, pa.string())], names=["a", "b"])
    pieces = [parquet.begin(), *(parquet.add(batch) for _ in range(7)), *parquet.end()]
    assert [bool(piece) for piece in pieces] == [True, False, False, True, False, False, True, False, True]
    found = pq.ParquetFile(io.BytesIO(b"".join(pieces)))
    groups = [found.metadata.row_group(place).num_rows for place in range(found.metadata.num_row_groups)]
    assert (sum(groups), max(groups) <= GROUP_ROWS + 20_000) == (140_000, True)
    assert found.schema_arrow.field("note").metadata[b"title"] == b"Their note"
