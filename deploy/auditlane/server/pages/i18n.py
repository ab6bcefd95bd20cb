"""The languages of the server's pages: negotiation, messages, and number and time formats.

English messages are in the code and serve as keys. Other languages are in `locale/<language>.po` next to this module.
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

# The first language is the code's own. Times are listed below one another, so their width is constant.
_DAYS: Final = {"en": "%Y-%m-%d", "de": "%d.%m.%Y"}
_DAYS_OF_YEAR: Final = {"en": "%m-%d", "de": "%d.%m."}
LANGUAGES: Final = tuple(_DAYS)


class Catalogue:
    """One language's messages and formats. Messages refer to values by name: `%(name)s`."""

    def __init__(self, language: str, texts: NullTranslations) -> None:
        self.language = language
        self.texts = texts

    def gettext(self, text: str, **values: Any) -> str:
        """Return the translated message with these values."""
        return self.texts.gettext(text) % values

    def ngettext(self, one: str, other: str, count: int, **values: Any) -> str:
        """Return the singular or plural message. `%(count)s` defaults to the formatted count."""
        return self.texts.ngettext(one, other, count) % ({"count": self.number(count)} | values)

    def number(self, value: float, digits: int = 0) -> str:
        """Format a number with `digits` decimals, as in `1,234.5` or `1.234,5`."""
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        return format_decimal(value, format=pattern, locale=self.language)

    def day(self, text: str) -> str:
        """Format the UTC date of an RFC 3339 time."""
        return self._time(text, _DAYS[self.language])

    def day_of_year(self, at: datetime) -> str:
        """Format the UTC day and month of a time."""
        return at.astimezone(UTC).strftime(_DAYS_OF_YEAR[self.language])

    def clock(self, text: str) -> str:
        """Format the UTC time of day of an RFC 3339 time, to the second."""
        return self._time(text, "%H:%M:%S")

    def moment(self, text: str) -> str:
        """Format the UTC date and time of day of an RFC 3339 time."""
        return f"{self.day(text)} {self.clock(text)}"

    def _time(self, text: str, form: str) -> str:
        return datetime.fromisoformat(text).astimezone(UTC).strftime(form)


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a message for extraction. It is translated where it is rendered."""
    return text


@cache
def catalogues() -> Mapping[str, Catalogue]:
    """Return the catalogues by language."""
    return {one: Catalogue(one, _texts(one)) for one in LANGUAGES}


def catalogue_for(request: Request) -> Catalogue:
    """Return the catalogue for the request's language."""
    return catalogues()[language_of(request)]


def language_of(request: Request) -> str:
    """Return the language named in `lang`, or else the first available one in Accept-Language, or else English."""
    return from_query(request) or from_header(request.headers.get("accept-language", ""))


def from_query(request: Request) -> str:
    """Return the language of the query parameter `lang`, or "" if it is missing or unavailable."""
    return _available(request.query_params.get("lang", ""))


def from_header(header: str) -> str:
    """Return the available language with the highest weight in an Accept-Language header, or English."""
    return next(filter(None, map(_available, by_preference(header))), LANGUAGES[0])


def _available(tag: str) -> str:
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
