"""Renders the pages' templates in the request's language."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from auditlane.server.pages.i18n import Catalogue, catalogues, from_query, language_of

HEADERS: Final = {"Cache-Control": "no-store", "Vary": "Accept-Language"}
Helpers = Callable[[Catalogue], dict[str, Any]]


class Pages:
    """Renders the templates in the folder next to this module. Thread-safe.

    Templates can use `_`, `ngettext`, `pgettext` and `{% trans %}`, `number(value, digits)`, the time formats `day`,
    `clock` and `moment`, `lang`, `lang_in_query` (the query parameter `lang`, or ""), `at(path, name=value)` for an
    address of this service, and the functions that `helpers` returns.
    """

    def __init__(self, helpers: Helpers = lambda _: {}) -> None:
        self._environments = {language: _environment(words, helpers(words)) for language, words in catalogues().items()}

    def render(self, request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return the rendered page as a response."""
        environment = self._environments[language_of(request)]
        html = environment.get_template(template).render(
            at=partial(address, request), lang_in_query=from_query(request), **values
        )
        return HTMLResponse(html, status, HEADERS)


def address(request: Request, path: str, pairs: Iterable[tuple[str, str]] = (), **more: str) -> str:
    """Return the path with the non-empty parameters and the request's own `lang`."""
    every = [("lang", from_query(request)), *pairs, *more.items()]
    query = urlencode([(name, value) for name, value in every if value])
    return f"{path}?{query}" if query else path


def _environment(words: Catalogue, helpers: dict[str, Any]) -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(words.texts, newstyle=True)  # type: ignore[attr-defined]  # the extension's
    environment.globals.update(
        lang=words.language, number=words.number, day=words.day, clock=words.clock, moment=words.moment, **helpers
    )
    return environment
