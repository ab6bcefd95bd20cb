"""In and out of the pages: a link's code is exchanged for an HttpOnly cookie, and the cookie is given back.

A link's address only shows a button. What follows links by itself (a mail's scanner, a chat's preview) asks with GET
and uses nothing up; the button's form is a POST.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from html import escape
from importlib.resources import files
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

import anyio
import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from auditlane.access.audit import Action, auditor_of
from auditlane.access.links import LinkExchange, LinkRead, Opened, Page, used_before
from auditlane.runtime.errors import Busy, InvalidInput, Unauthenticated
from auditlane.runtime.fair_queue import FairQueue
from auditlane.runtime.lru_cache import LruCache
from auditlane.server.auth.authentication import require_not_cross_site
from auditlane.server.auth.cookies import Cookies
from auditlane.server.auth.sign_in_limits import SignInLimits
from auditlane.server.pages.i18n import catalogue_for
from auditlane.server.pages.message_page import page
from auditlane.server.pages.templates import address

OPENERS: Final = 8  # threads that ask whether a link was used; slow queries have others
MOST_WAITING: Final = 32  # … and requests that may wait for one of these
OF_TENANT: Final = 4  # of the threads for links of one tenant
KNOWN: Final = 20_000  # links known to be used: nobody is asked about these again
_SCRIPT: Final = files("auditlane.server.pages").joinpath("static", "enter.js").read_bytes()
SCRIPT_PATH: Final = f"/static/enter-{hashlib.sha256(_SCRIPT).hexdigest()[:12]}.js"
_FORM: Final = "application/x-www-form-urlencoded"
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "properties": {"code": {"type": "string", "maxLength": 4096, "description": "From the link."}},
                }
            }
        }
    }
}
Code = Annotated[str, Query(max_length=4096, description="From the link.")]


def build(exchange: LinkExchange, cookies: Cookies, sign_in_limits: SignInLimits) -> APIRouter:
    """`GET` and `POST /enter`, and what the former needs."""
    router = APIRouter(tags=["pages"])
    opening = _Opening()

    @router.get("/enter", summary="Show the button that opens a link", response_class=HTMLResponse)
    async def ask(request: Request, code: Code) -> Response:
        """A page with a form that sends the code. To look at it uses nothing up, however often and by whom."""
        with sign_in_limits.charging_failures(request):
            leads_to = exchange.look(code, now=datetime.now(UTC))
        words = catalogue_for(request)
        if leads_to is Page.console:
            title, label = words.gettext("Open the console"), words.gettext("Open the console")
        else:
            title, label = words.gettext("Open the audit log"), words.gettext("Open the audit log")
        form = (
            f'<form method="post" action="{escape(address(request, "/enter"))}">'
            f'<input type="hidden" name="code" value="{escape(code)}"><button>{escape(label)}</button></form>'
        )
        if leads_to is Page.embed:
            form += f'<script src="{SCRIPT_PATH}" defer></script>'
        return page(request, title, words.gettext("This link works once."), form=form)

    @router.post(
        "/enter",
        summary="Open the pages with a link's code",
        status_code=303,
        response_class=RedirectResponse,
        openapi_extra=_BODY,
    )
    async def enter(
        request: Request, code: Annotated[str, Query(max_length=4096, include_in_schema=False)] = ""
    ) -> Response:
        """The code works once. The answer sets the session's cookie and leads to an address without the code."""
        require_not_cross_site(request)  # else a page of somebody else's could sign a visitor in as somebody else
        code, now = await _code(request) or code, datetime.now(UTC)
        with sign_in_limits.charging_failures(request):
            looked = exchange.read(code, now=now)
            opened = await opening.open(looked, partial(exchange.redeem, code, now=now))
        auditor = auditor_of(request)
        auditor.actor_id, auditor.actor_type = opened.user, "user"
        auditor.tenant, auditor.client_id = opened.tenant, opened.client_id
        auditor.record(
            Action.link_opened, resource="session", page=opened.page, ttl_s=int(opened.token.ttl.total_seconds())
        )
        answer = RedirectResponse(opened.address, status_code=303)
        cookies.put(request, answer, opened.page, opened.token)
        return answer

    @router.get(SCRIPT_PATH, include_in_schema=False)
    async def script() -> Response:
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(_SCRIPT, media_type="text/javascript", headers=headers)

    return router


class _Opening:
    """The links that are being opened, and those that were: one that is sent again and again takes one thread, once."""

    def __init__(self) -> None:
        self._links = FairQueue(1)
        self._tenants = FairQueue(OF_TENANT)
        self._threads = anyio.CapacityLimiter(OPENERS)
        self._used: LruCache[str, bool] = LruCache(KNOWN)

    async def open(self, link: LinkRead, redeem: Callable[[], Opened]) -> Opened:
        """What `redeem` returns. Raises what it does, and Busy where too many wait for a thread."""
        async with self._links.of(link.jti), self._tenants.of(link.tenant or ""):
            if self._used.get(link.jti):
                raise used_before()
            if self._threads.statistics().tasks_waiting >= MOST_WAITING:
                raise Busy("Too many links are being opened.", fix="Try again in a moment; the link was not used.")
            try:
                opened = await anyio.to_thread.run_sync(redeem, limiter=self._threads)
            except Unauthenticated:
                self._used.put(link.jti, True)
                raise
            self._used.put(link.jti, True)
            return opened


def leaving(cookies: Cookies) -> APIRouter:
    """`POST /leave`."""
    router = APIRouter(tags=["pages"])

    @router.post("/leave", include_in_schema=False)
    async def leave(request: Request) -> Response:
        """Give the cookie back. The session's token ends by itself within its short life."""
        require_not_cross_site(request)  # else a page of somebody else's could sign a visitor out
        words = catalogue_for(request)
        told = words.gettext("To come back, get a new link where you got the last one.")
        answer = page(request, words.gettext("You have left"), told)
        cookies.drop(request, answer)
        return answer

    return router


async def _code(request: Request) -> str:
    """The code in the form; empty without one. Raises InvalidInput for one that is too long to be ours."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        return ""
    found = parse_qs((await request.body()).decode(errors="replace")).get("code", [""])[0]
    if len(found) > 4096:
        raise InvalidInput("The code is too long.", field="code", fix="Follow the link as you got it.")
    return found
