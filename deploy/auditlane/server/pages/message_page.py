"""Renders pages with a single message."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from auditlane.server.pages.i18n import language_of
from auditlane.server.pages.plain_page import STYLE_PATH
from auditlane.server.pages.templates import HEADERS


def page(
    request: Request,
    title: str,
    text: str,
    small: str = "",
    *,
    detail: str = "",
    form: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a page with one message and no script, in the request's language.

    `detail` is the API's English message; `form` is HTML below the text.
    """
    paragraphs = [f"<p>{escape(text)}</p>"] if text else []
    paragraphs += [f'<p lang="en">{escape(detail)}</p>'] if detail else []
    html = f"""<!doctype html>
<html lang="{language_of(request)}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="{STYLE_PATH}"></head>
<body><main class="notice"><h1>{escape(title)}</h1>{"".join(paragraphs)}{form}
<p class="quiet">{escape(small)}</p></main></body>
</html>
"""
    return HTMLResponse(html, status, HEADERS | dict(headers or {}))
