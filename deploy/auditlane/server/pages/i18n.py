"""The languages of our own pages: which one a request asks for, its texts, its numbers and its times.

English is in the code, each text its own key; the other languages are `locale/<language>.po` beside this module.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from typing import Any, Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from fastapi import Request

from auditlane.runtime.accept_header import by_preference

# The first is what texts are written in. Times stand below one another, so that all of a language have one width.
_DAYS: Final = {"en": "%Y-%m-%d", "de": "%d.%m.%Y"}
LANGUAGES: Final = tuple(_DAYS)


class Catalogue:
    """One language. Values are named in a text: `%(name)s`."""

    def __init__(self, language: str, texts: NullTranslations) -> None:
        self.language = language
        self.texts = texts

    def gettext(self, text: str, **values: Any) -> str:
        """The text with these values."""
        return self.texts.gettext(text) % values

    def ngettext(self, one: str, other: str, count: int, **values: Any) -> str:
        """The text for that many; `%(count)s` in it is the count as the language writes it."""
        return self.texts.ngettext(one, other, count) % ({"count": self.number(count)} | values)

    def number(self, value: float, digits: int = 0) -> str:
        """Rounded to so many digits behind the point: 1,234.5 or 1.234,5."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return format_decimal(value, format=pattern, locale=self.language)

    def day(self, text: str) -> str:
        """The UTC day of a time in RFC 3339."""
        return self._time(text, _DAYS[self.language])

    def clock(self, text: str) -> str:
        """Its time of day, to the second."""
        return self._time(text, "%H:%M:%S")

    def moment(self, text: str) -> str:
        """Both."""
        return f"{self.day(text)} {self.clock(text)}"

    def _time(self, text: str, form: str) -> str:
        return datetime.fromisoformat(text).astimezone(UTC).strftime(form)


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a text that is translated where it is told."""
    return text


@cache
def catalogues() -> Mapping[str, Catalogue]:
    """The catalogues by language."""
    return {one: Catalogue(one, _texts(one)) for one in LANGUAGES}


def catalogue_for(request: Request) -> Catalogue:
    """The catalogue of the language that the request asks for."""
    return catalogues()[language_of(request)]


def language_of(request: Request) -> str:
    """The language that the address names, else the browser's first that there is, else English."""
    return from_query(request) or from_header(request.headers.get("accept-language", ""))


def from_query(request: Request) -> str:
    """The language that the address names with `lang`; empty where it names none that there is."""
    return _known(request.query_params.get("lang", ""))


def from_header(header: str) -> str:
    """The first language of the header Accept-Language that there are texts in, by its weights; else English."""
    return next(filter(None, map(_known, by_preference(header))), LANGUAGES[0])


def _known(tag: str) -> str:
    name = tag.strip().partition("-")[0].lower()
    return name if name in LANGUAGES else ""


def _texts(language: str) -> NullTranslations:
    if language == LANGUAGES[0]:
        return NullTranslations()
    text = files(__package__ or "").joinpath("locale", f"{language}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(text), locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)
