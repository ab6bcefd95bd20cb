"""The pages that load the viewer: the log (`/`), and the log embedded in a vendor's page (`/embed`).

They contain no log data. The viewer requests it from the API with the user's own session.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from auditlane.access.audit import auditor_of
from auditlane.access.scope import Principal
from auditlane.runtime import validators
from auditlane.runtime.errors import Forbidden, Unauthenticated
from auditlane.server.pages.plain_page import PAGES, signed_out
from auditlane.server.pages.viewer.bundle import Entry
from auditlane.server.services import Services, services_of

_STYLE: Final = files("auditlane.server.pages").joinpath("static", "shell.css").read_bytes()
STYLE_PATH: Final = f"/static/shell-{hashlib.sha256(_STYLE).hexdigest()[:12]}.css"


AppServices = Annotated[Services, Depends(services_of)]


async def log(request: Request, services: AppServices) -> Response:
    """Return the log page. The viewer itself reports missing permissions; only a missing session is handled here."""
    try:
        principal = await _principal(services, request)
    except Forbidden as error:
        return signed_out(request, services, error)
    except Unauthenticated as error:
        cookies = services.authenticator.cookies
        view = cookies.shared_view(request)
        answer = signed_out(request, services, error, shared=bool(view))
        if view:
            cookies.remember_view(request, answer, view)
        return answer
    entry = _entry(services, "page")
    return _page(request, "shell_log.html", entry, tenant=principal.tenant, sign_in=services.settings.sign_in_url)


async def embed(request: Request, services: AppServices) -> Response:
    """Return the embedded page, even without a session, since the surrounding page may send a token."""
    framed_by = validators.listed(services.settings.frame_ancestors)
    if not framed_by:
        return _page(request, "shell_no_embed.html", None, status=403)
    try:
        session = bool(await _principal(services, request))
    except (Unauthenticated, Forbidden):
        session = False
    entry, sign_in = _entry(services, "embed"), services.settings.sign_in_url
    return _page(request, "shell_embed.html", entry, origins=framed_by, session=session, sign_in=sign_in)


async def style() -> Response:
    """Return the style sheet. Its name changes with its content."""
    return Response(_STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})


def build() -> APIRouter:
    """Return the routes `/` and `/embed`, and their style sheet. They require the viewer's build."""
    router = APIRouter(include_in_schema=False)
    router.get("/")(log)
    router.get("/embed")(embed)
    router.get(STYLE_PATH)(style)
    return router


async def _principal(services: Services, request: Request) -> Principal:
    """Return the session's principal. Raises Unauthenticated, even for an environment-wide credential."""
    found = await services.authenticator.principal(request)
    if found.tenant is None:
        raise Unauthenticated("This page requires a tenant.", fix="Open it with a tenant's viewer link.")
    auditor_of(request).recorded = True  # the page has no log data; the viewer's own requests are recorded
    return found


def _entry(services: Services, name: str) -> Entry | None:
    return services.bundle.entry(name) if services.bundle else None


def _page(request: Request, template: str, entry: Entry | None, status: int = 200, **values: Any) -> Response:
    return PAGES.render(request, template, status, style=STYLE_PATH, entry=entry, **values)
