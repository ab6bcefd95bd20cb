"""Reads Excel workbooks, to the extent that the export tests need."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Final
from xml.etree import ElementTree

_SPACE: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"

Cell = str | float | bool


def sheets(document: bytes) -> list[list[dict[str, Cell]]]:
    """Return the rows of each sheet. A row maps columns to its non-empty cells. Fails if a cell is a formula or a
    link.
    """
    found = []
    with zipfile.ZipFile(io.BytesIO(document)) as parts:
        names = [name for name in parts.namelist() if name.startswith("xl/worksheets/sheet")]
        for name in sorted(names):
            tree = ElementTree.fromstring(parts.read(name))
            assert not [*tree.iter(f"{_SPACE}f"), *tree.iter(f"{_SPACE}hyperlink")]
            found.append([_cells(row) for row in tree.iter(f"{_SPACE}row")])
    return found


def _cells(row: ElementTree.Element) -> dict[str, Cell]:
    return {cell.get("r", "").rstrip("0123456789"): _value(cell) for cell in row.iter(f"{_SPACE}c")}


def _value(cell: ElementTree.Element) -> Cell:
    # Excel's notation for characters that XML cannot represent
    text = re.sub("_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), "".join(cell.itertext()))
    kind = cell.get("t", "n")
    return text if kind == "inlineStr" else text == "1" if kind == "b" else float(text)
