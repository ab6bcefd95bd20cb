"""The cookies of our pages' sessions: what they are called, where browsers send them, and how they are given back.

Over https a name begins with `__Host-`: browsers take such a cookie from this very host over https alone, so that no
neighbouring subdomain and nobody on the wire can put one there.
"""

from __future__ import annotations

from typing import Final

from fastapi import Request, Response

from auditlane.access.links import Page
from auditlane.access.tokens import Token

COOKIE: Final = "auditlane_viewer"
CONSOLE_COOKIE: Final = "auditlane_console"
_PREFIX: Final = "__Host-"


class Cookies:
    """`url` is where clients reach the service (AUDITLANE_SERVE_URL), or empty."""

    def __init__(self, url: str = "") -> None:
        self._secure = url.startswith("https://")

    def of(self, request: Request, page: Page) -> str:
        """The session's token that the request carries for this page; empty when it carries none."""
        return request.cookies.get(self._name(request, page), "")

    def put(self, request: Request, answer: Response, page: Page, token: Token) -> None:
        """Let the browser keep the session that leads to this page.

        Inside of a page of another site browsers only keep and send a cookie that says `None` and is partitioned, which
        needs https. With "strict" the first page after a click in a mail would come without the cookie.
        """
        secure = self._is_secure(request)
        framed = page is Page.embed and secure
        answer.set_cookie(
            self._name(request, page),
            token.text,
            max_age=int(token.ttl.total_seconds()),
            path=self._path(request, page),
            secure=secure,
            httponly=True,
            samesite="none" if framed else "lax",
        )
        if framed:  # Starlette knows the attribute from Python 3.14 on
            answer.headers["set-cookie"] += "; Partitioned"

    def drop(self, request: Request, answer: Response) -> None:
        """Make the browser forget the sessions."""
        secure = self._is_secure(request)
        for page in (Page.log, Page.console):
            name, path = self._name(request, page), self._path(request, page)
            answer.delete_cookie(name, path=path, secure=secure, httponly=True, samesite="lax")

    def _is_secure(self, request: Request) -> bool:
        return self._secure or request.url.scheme == "https"

    def _name(self, request: Request, page: Page) -> str:
        name = CONSOLE_COOKIE if page is Page.console else COOKIE
        return f"{_PREFIX}{name}" if self._is_secure(request) else name

    def _path(self, request: Request, page: Page) -> str:
        """Over plain http the console's is sent to the console only; the prefix does not go with a path."""
        return Page.console.value if page is Page.console and not self._is_secure(request) else "/"
