"""In and out of the pages: a link's code is exchanged for an HttpOnly cookie, and the cookie is given back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from auditlane.access.links import LinkDesk
from auditlane.access.trail import Action, witness_of
from auditlane.server.gate import COOKIE
from auditlane.server.problems import page


def build(desk: LinkDesk, *, secure: bool) -> APIRouter:
    """`GET /enter` and `/leave`. `secure` when the pages are served over https, which the cookie is then bound to."""
    router = APIRouter(tags=["pages"])

    @router.get("/enter", summary="Open the pages with a link's code", status_code=303, response_class=RedirectResponse)
    async def enter(
        request: Request, code: Annotated[str, Query(max_length=4096, description="From the link.")]
    ) -> Response:
        """The code works once. The answer sets the session's cookie and leads to an address without the code."""
        opened = desk.redeem(code, now=datetime.now(UTC))
        token, viewer = opened.token, opened.viewer
        witness = witness_of(request)
        witness.actor_id, witness.actor_type, witness.tenant = viewer.user, "user", viewer.tenant
        witness.client_id = viewer.client_id
        witness.record(Action.link_opened, resource="session", ttl_s=int(token.ttl.total_seconds()))
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            COOKIE,
            token.text,
            max_age=int(token.ttl.total_seconds()),
            path="/",
            secure=secure,
            httponly=True,
            samesite="lax",  # with "strict" the first page after a click in a mail would come without it
        )
        return answer

    @router.api_route("/leave", methods=["GET", "POST"], include_in_schema=False)
    async def leave(request: Request) -> Response:
        """Give the cookie back. The session's token ends by itself within its short life."""
        answer = page("You have left", "To come back, get a new link where you got the last one.")
        answer.delete_cookie(COOKIE, path="/", secure=secure, httponly=True, samesite="lax")
        return answer

    return router
