"""Renders pages with a single message."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request, Response
from markupsafe import Markup

from auditlane.server.pages.plain_page import PAGES, STYLE_PATH


def page(
    request: Request,
    title: str,
    text: str,
    code: str = "",
    *,
    detail: str = "",
    form: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a page with one message and no script, in the request's language.

    `detail` is the API's English message, `code` is its error code, and `form` is HTML below the text.
    """
    response = PAGES.render(
        request,
        "message.html",
        status,
        title=title,
        text=text,
        detail=detail,
        form=Markup(form),  # noqa: S704 - built by the caller from escaped values
        code=code,
        style=STYLE_PATH,
    )
    response.headers.update(headers or {})
    return response
