"""The parts that all pages of the console share: the frame, the operator, and forms."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import Request, Response

from auditlane.access.scope import Principal
from auditlane.runtime.errors import ConfigError, Unauthenticated, Unavailable, http_status
from auditlane.runtime.log import get
from auditlane.server.pages import message_page
from auditlane.server.pages.console import page_model
from auditlane.server.pages.console.access import HOW, Operators
from auditlane.server.pages.i18n import catalogue_for
from auditlane.server.pages.plain_page import STYLE_PATH as LOG_STYLE_PATH
from auditlane.server.pages.templates import Pages
from auditlane.server.pages.viewer.bundle import Entry
from auditlane.server.services import Services, services_of

STYLE: Final = files("auditlane.server.pages").joinpath("static", "console.css").read_bytes()
STYLE_PATH: Final = f"/static/console-{hashlib.sha256(STYLE).hexdigest()[:12]}.css"
PAGES: Final = Pages(page_model.helpers)
View = Callable[[Request, Services, Principal], Awaitable[Response]]
Route = Callable[[Request], Awaitable[Response]]


def page(view: View) -> Route:
    """Return the route of a page or a form. It authenticates the operator, and shows visitors without a session how to
    sign in. If a component fails, or this process's own settings are wrong, the error is shown within the console.
    """

    async def route(request: Request) -> Response:
        services = await services_of(request)
        try:
            operator = Operators(services.authenticator).entered(request)
        except Unauthenticated as error:
            return _signed_out(request, error)
        try:
            return await view(request, services, operator)
        except (ConfigError, Unavailable) as error:
            get("serve").error("http.failed", code=error.code, problem=str(error))
            request.state.code = error.code
            return rendered(request, "console_failed.html", operator, status=http_status(error), failure=str(error))

    return route


def entry_of(services: Services, name: str) -> Entry | None:
    """Return the files of a script, or None if the viewer has not been built."""
    return services.bundle.entry(name) if services.bundle else None


def rendered(
    request: Request,
    template: str,
    operator: Principal,
    *,
    entry: Entry | None = None,
    status: int = 200,
    **values: Any,
) -> Response:
    """Return a page of the console. Without `entry`, it has no script."""
    styles = {"log_style": LOG_STYLE_PATH, "style": STYLE_PATH}
    return PAGES.render(request, template, status, user=operator.subject, entry=entry, **styles, **values)


async def form_of(request: Request) -> dict[str, list[str]]:
    """Return the non-empty fields of a submitted form."""
    return parse_qs((await request.body()).decode(errors="replace"))


def number_of(request: Request, name: str) -> int:
    """Return a positive number from the query string, or 1."""
    text = request.query_params.get(name, "")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def _signed_out(request: Request, error: Unauthenticated) -> Response:
    request.state.code = error.code
    words = catalogue_for(request)
    title = words.gettext("You need a link to open the console")
    return message_page.page(request, title, words.gettext(HOW), error.code, status=401)
