"""The fonts of a PDF: the width of each character, and a substitute for characters that no font has."""

from __future__ import annotations

import itertools
import logging
import weakref
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final

from fpdf import FPDF
from fpdf.fonts import TTFFont

from auditlane.runtime.errors import ConfigError

OWN: Final = "own"  # DejaVu Sans, next to this module
MORE: Final = "more"
_FONTS: Final = (b"\x00\x01\x00\x00", b"OTTO", b"true", b"ttcf")  # the first bytes of font files
_BREAKS: Final = {"\n": "↵", "\r": "", "\t": " "}
logging.getLogger("fontTools").setLevel(logging.ERROR)


class Glyphs:
    """The fonts of a document. `more` is a font file for characters that are missing from DejaVu Sans."""

    def __init__(self, document: FPDF, more: Path | None = None) -> None:
        """Add the fonts to the document. Raises ConfigError if `more` is not a font."""
        if more is not None:
            _check(more)
        with as_file(files(__package__).joinpath("fonts", "DejaVuSans.ttf")) as path:
            document.add_font(OWN, fname=path)
        if more is not None:
            document.add_font(MORE, fname=more)
        self._fonts: dict[str, TTFFont] = {
            name: font for name in (OWN, MORE) if isinstance(font := document.fonts.get(name), TTFFont)
        }
        self._widths: dict[str, float] = {}
        # The font files stay open until the document is written or discarded.
        weakref.finalize(self, _close, [font.ttfont for font in self._fonts.values()])

    def drawable(self, text: str) -> str:
        """Replace characters that cannot be drawn. A character that no font has is replaced with its code, such as
        `⟨U+4E2D⟩`, and a line break with `↵`.
        """
        if text.isascii() and text.isprintable():
            return text
        return "".join(_BREAKS[char] if char in _BREAKS else char if self._font(char) else _sign(char) for char in text)

    def width(self, text: str) -> float:
        """Return the width of the text in thousandths of the font size."""
        return sum(self._width(character) for character in text)

    def wrap(self, text: str, max_width: float) -> list[str]:
        """Break the text into lines of at most `max_width` thousandths of the font size, at spaces if possible.

        A single character may be wider than that.
        """
        lines, start, space, used = [], 0, -1, 0.0
        for place, character in enumerate(text):
            width = self._width(character)
            while used + width > max_width and place > start:
                cut = space + 1 if space > start and character != " " else place
                lines.append(text[start:cut].rstrip(" "))
                start, space, used = cut, -1, self.width(text[cut:place])
            space = place if character == " " else space
            used += width
        lines.append(text[start:])
        return lines

    def runs(self, text: str) -> Iterator[tuple[str, str]]:
        """Yield the parts of a `drawable` text as (font, part), in order."""
        if text.isascii() or len(self._fonts) == 1:
            yield OWN, text
            return
        for font, characters in itertools.groupby(text, lambda character: self._font(character) or OWN):
            yield font, "".join(characters)

    def _font(self, character: str) -> str:
        if not character.isprintable():
            return ""
        return next((name for name, font in self._fonts.items() if ord(character) in font.cmap), "")

    def _width(self, character: str) -> float:
        known = self._widths.get(character)
        if known is None:
            font = self._fonts[self._font(character) or OWN]
            known = self._widths[character] = font.cw[ord(character)]
        return known


def _check(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(4) not in _FONTS:
            raise ConfigError(
                f"{path} is not an embeddable font.",
                field="export_font",
                fix="Point AUDITLANE_EXPORT_FONT at a TrueType or OpenType file.",
            )


def _close(fonts: list[Any]) -> None:
    for font in fonts:
        font.close()


def _sign(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"
