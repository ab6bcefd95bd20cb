"""Page sessions' cookies: names, paths and deletion.

Over HTTPS, the name starts with `__Host-`. Browsers accept such a cookie only from this host over HTTPS, so that
neither another subdomain nor an attacker on the network can set it.
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
    """Reads, sets and deletes session cookies. `url` is the service's public URL (AUDITLANE_SERVE_URL), or empty."""

    def __init__(self, url: str = "") -> None:
        self._secure = url.startswith("https://")

    def of(self, request: Request, page: Page) -> str:
        """Return this page's session token, or an empty string."""
        return request.cookies.get(self._name(request, page), "")

    def put(self, request: Request, answer: Response, page: Page, token: Token) -> None:
        """Set this page's session cookie.

        In a frame on another site, browsers accept only a partitioned cookie with SameSite `None`, which requires
        HTTPS. With `Strict`, the first page after a click in an email would be requested without the cookie.
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
        if framed:  # Starlette supports the attribute only from Python 3.14
            answer.headers["set-cookie"] += "; Partitioned"

    def drop(self, request: Request, answer: Response) -> None:
        """Delete the session cookies."""
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
        """Return the cookie's path. Over plain HTTP, the console's cookie is limited to the console, which `__Host-`
        cookies do not allow.
        """
        return Page.console.value if page is Page.console and not self._is_secure(request) else "/"
