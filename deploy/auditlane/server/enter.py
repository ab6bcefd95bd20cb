"""In and out of the pages: a link's code is exchanged for an HttpOnly cookie, and the cookie is given back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from auditlane.access.links import LinkDesk, Page
from auditlane.access.tokens import Token
from auditlane.access.trail import Action, witness_of
from auditlane.query.catalogue import spoken
from auditlane.server.gate import CONSOLE_COOKIE, COOKIE
from auditlane.server.notice import PACKAGE, page


def build(desk: LinkDesk, *, secure: bool) -> APIRouter:
    """`GET /enter` and `/leave`. `secure` when the pages are served over https, which the cookie is then bound to."""
    router = APIRouter(tags=["pages"])

    @router.get("/enter", summary="Open the pages with a link's code", status_code=303, response_class=RedirectResponse)
    async def enter(
        request: Request, code: Annotated[str, Query(max_length=4096, description="From the link.")]
    ) -> Response:
        """The code works once. The answer sets the session's cookie and leads to an address without the code."""
        opened = desk.redeem(code, now=datetime.now(UTC))
        witness = witness_of(request)
        witness.actor_id, witness.actor_type = opened.user, "user"
        witness.tenant, witness.client_id = opened.tenant, opened.client_id
        witness.record(
            Action.link_opened, resource="session", page=opened.page, ttl_s=int(opened.token.ttl.total_seconds())
        )
        answer = RedirectResponse(opened.address, status_code=303)
        set_session(answer, opened.page, opened.token, secure=secure)
        return answer

    @router.api_route("/leave", methods=["GET", "POST"], include_in_schema=False)
    async def leave(request: Request) -> Response:
        """Give the cookie back. The session's token ends by itself within its short life."""
        words = spoken(request, PACKAGE)
        told = words.gettext("To come back, get a new link where you got the last one.")
        answer = page(request, words.gettext("You have left"), told)
        answer.delete_cookie(COOKIE, path="/", secure=secure, httponly=True, samesite="lax")
        answer.delete_cookie(CONSOLE_COOKIE, path=Page.console, secure=secure, httponly=True, samesite="lax")
        return answer

    return router


def set_session(answer: Response, page: Page, token: Token, *, secure: bool) -> None:
    """Put a session's token into its cookie. The console's is sent to the console only.

    Inside of a page of another site browsers only keep and send a cookie that says `None` and is partitioned, which
    needs https. With "strict" the first page after a click in a mail would come without the cookie.
    """
    framed = page is Page.embed and secure
    answer.set_cookie(
        CONSOLE_COOKIE if page is Page.console else COOKIE,
        token.text,
        max_age=int(token.ttl.total_seconds()),
        path=Page.console if page is Page.console else "/",
        secure=secure,
        httponly=True,
        samesite="none" if framed else "lax",
    )
    if framed:  # Starlette knows the attribute from Python 3.14 on
        answer.headers["set-cookie"] += "; Partitioned"
