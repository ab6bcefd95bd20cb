"""The cookies of page sessions (their names, paths and deletion), and the cookie that remembers a shared view.

Over HTTPS, the name starts with `__Host-`. Browsers accept such a cookie only from this host over HTTPS, so that
neither another subdomain nor an attacker on the network can set it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from fastapi import Request, Response

from auditlane.access.links import Page
from auditlane.access.tokens import Token

COOKIE: Final = "auditlane_viewer"
CONSOLE_COOKIE: Final = "auditlane_console"
VIEW_COOKIE: Final = "auditlane_view"
_VIEW_TTL_S: Final = 900
_VIEW_LENGTH: Final = 2_000
# The parameters of a view that a link to the log may contain. None of them opens another page.
_VIEW: Final = frozenset(
    ("query", "range", "from", "to", "sort", "columns", "group", "compare", "tz", "view", "event", "lang")
)
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

    def shared_view(self, request: Request) -> str:
        """Return the view in the link that the visitor has opened, as a query string, or an empty string."""
        opened = request.url.path == Page.log.value and request.headers.get("sec-fetch-dest", "document") == "document"
        return _view_in(request.url.query) if opened else ""

    def remember_view(self, request: Request, answer: Response, view: str) -> None:
        """Remember a view for a visitor who has to sign in first."""
        secure = self._is_secure(request)
        answer.set_cookie(
            self._view_name(request),
            quote(view, safe=""),
            max_age=_VIEW_TTL_S,
            path="/",
            secure=secure,
            httponly=True,
            samesite="lax",
        )

    def forget_view(self, request: Request, answer: Response) -> None:
        """Forget the remembered view."""
        name, secure = self._view_name(request), self._is_secure(request)
        if name in request.cookies:
            answer.delete_cookie(name, path="/", secure=secure, httponly=True, samesite="lax")

    def view_of(self, request: Request) -> str:
        """Return the remembered view as a query string, or an empty string."""
        return _view_in(unquote(request.cookies.get(self._view_name(request), "")))

    def _is_secure(self, request: Request) -> bool:
        return self._secure or request.url.scheme == "https"

    def _name(self, request: Request, page: Page) -> str:
        name = CONSOLE_COOKIE if page is Page.console else COOKIE
        return f"{_PREFIX}{name}" if self._is_secure(request) else name

    def _view_name(self, request: Request) -> str:
        return f"{_PREFIX}{VIEW_COOKIE}" if self._is_secure(request) else VIEW_COOKIE

    def _path(self, request: Request, page: Page) -> str:
        """Return the cookie's path. Over plain HTTP, the console's cookie is limited to the console, which `__Host-`
        cookies do not allow.
        """
        return Page.console.value if page is Page.console and not self._is_secure(request) else "/"


def _view_in(query: str) -> str:
    """Return only the parameters of a view, or an empty string if the query string has no view or a long one."""
    found = [(name, value) for name, value in parse_qsl(query) if name in _VIEW]
    view = urlencode(found)
    return view if {name for name, _ in found} - {"lang"} and len(view) <= _VIEW_LENGTH else ""
