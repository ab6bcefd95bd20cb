"""The pages that load the viewer: the log (`/`), and the log inside of a vendor's page (`/embed`).

Nothing of a tenant's log is in them: the viewer asks the API for that, as whoever opened the page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from auditlane.access.audit import auditor_of
from auditlane.access.scope import Principal
from auditlane.runtime.errors import Forbidden, Unauthenticated
from auditlane.server.pages.plain_page import PAGES, signed_out
from auditlane.server.pages.viewer.bundle import Bundle

Who = Callable[[Request], Awaitable[Principal]]

_STYLE: Final = files("auditlane.server.pages").joinpath("static", "shell.css").read_bytes()
STYLE_PATH: Final = f"/static/shell-{hashlib.sha256(_STYLE).hexdigest()[:12]}.css"


def build(bundle: Bundle, who: Who, *, framed_by: Sequence[str] = ()) -> APIRouter:
    """The routes. `who` tells whose session a request has; pages of the origins `framed_by` may show `/embed`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def log(request: Request) -> Response:
        """The viewer itself says what its user may not see; only strangers are told here."""
        try:
            visitor = await _visitor(who, request)
        except (Unauthenticated, Forbidden) as error:
            return signed_out(request, error)
        return _page(request, "shell_log.html", bundle, "page", tenant=visitor.tenant)

    @router.get("/embed")
    async def embed(request: Request) -> Response:
        """Without a session too: the page around it may send a token."""
        if not framed_by:
            return _page(request, "shell_no_embed.html", bundle, None, status=403)
        try:
            session = bool(await _visitor(who, request))
        except (Unauthenticated, Forbidden):
            session = False
        return _page(request, "shell_embed.html", bundle, "embed", origins=framed_by, session=session)

    @router.get(STYLE_PATH)
    async def style() -> Response:
        return Response(_STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})

    return router


async def _visitor(who: Who, request: Request) -> Principal:
    """Whose page this is. Raises Unauthenticated, also for a credential of the whole environment."""
    found = await who(request)
    if found.tenant is None:
        raise Unauthenticated("This page is one tenant's.", fix="Open it with a link for a viewer of that tenant.")
    auditor_of(request).recorded = True  # nothing of the log is in the page; what the viewer asks for is recorded
    return found


def _page(
    request: Request, template: str, bundle: Bundle, entry: str | None, status: int = 200, **values: Any
) -> Response:
    loaded = bundle.entry(entry) if entry else None
    return PAGES.render(request, template, status, style=STYLE_PATH, entry=loaded, **values)
