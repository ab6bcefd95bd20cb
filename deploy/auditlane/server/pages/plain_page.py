"""The log as a server-rendered page, which works without scripts and under a content policy that forbids inline
code.
"""

from __future__ import annotations

import hashlib
from functools import partial
from importlib.resources import files
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.contract.event import Outcome, Severity
from auditlane.query.export.formats import Format
from auditlane.query.fields import from_structure
from auditlane.query.filters import DEFAULT_LIMIT, split
from auditlane.query.reader import Page
from auditlane.runtime.errors import (
    AuditlaneError,
    Forbidden,
    InvalidCursor,
    Unauthenticated,
    http_status,
)
from auditlane.server.pages import page_model
from auditlane.server.pages.sign_in import sign_in_address
from auditlane.server.pages.templates import Pages, address
from auditlane.server.services import Services, services_of

_STYLE: Final = files(__package__ or "").joinpath("static", "log.css").read_bytes()
# The address changes with the content, so browsers may cache it forever.
STYLE_PATH: Final = f"/static/log-{hashlib.sha256(_STYLE).hexdigest()[:12]}.css"
PATH: Final = "/plain"
_EMPTY: Final = Page([], None, None)

PAGES: Final = Pages()


AppServices = Annotated[Services, Depends(services_of)]


async def log(request: Request, services: AppServices) -> Response:
    """Return a page with the tenant's events, or the sign-in page for a request without a session."""
    try:
        scope = await services.authenticator.authorize(Permission.read)(request)
    except (Unauthenticated, Forbidden) as error:
        return signed_out(request, services, error)
    return await run_in_threadpool(_log, request, services, scope)


async def style() -> Response:
    """Return the style sheet. Its name changes with its content."""
    return Response(_STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})


def build(*, alone: bool) -> APIRouter:
    """Return the route `/plain` and its style sheet. With `alone`, there is no viewer build, so the page is also served
    at `/`.
    """
    router = APIRouter(include_in_schema=False)
    router.get(PATH)(log)
    if alone:
        router.get("/")(log)
        router.get("/embed")(_not_built)
    router.get(STYLE_PATH)(style)
    return router


def signed_out(
    request: Request, services: Services, error: Unauthenticated | Forbidden, *, shared: bool = False
) -> Response:
    """Return the page for a request without a session, or whose session lacks the permission.

    If `shared`, signing in leads to the view in the request's address.
    """
    return PAGES.render(
        request,
        "signed_out.html",
        http_status(error),
        problem=error,
        signed_in=isinstance(error, Forbidden),
        shared=shared,
        sign_in=sign_in_address(request, services.settings),
        style=STYLE_PATH,
    )


async def _not_built(request: Request) -> Response:
    return PAGES.render(request, "not_built.html", 503, style=STYLE_PATH)


def _log(request: Request, services: Services, scope: TenantScope) -> Response:
    """Return the page for a signed-in reader. Errors in the request are shown above the filled-in form."""
    cursors, fields = services.cursors, from_structure(services.structures.of)(scope.tenant)
    to = partial(address, request, PATH)
    pairs = [pair for pair in page_model.non_empty(request.query_params.multi_items()) if pair[0] != "lang"]
    filters = [pair for pair in pairs if pair[0] != "cursor"]
    problem: AuditlaneError | None = None
    page, newer, older = _EMPTY, "", ""
    try:
        own, filter_ = split(pairs, ("cursor",), fields)
        position = cursors.read(scope, filter_, own["cursor"]) if "cursor" in own else None
        page = services.reader.page(scope, filter_, limit=DEFAULT_LIMIT, position=position)
        if position is not None and position.newer and page.newer is None:
            return RedirectResponse(to(filters), 303)  # the complete newest page instead of its remainder
        newer = cursors.sign(scope, filter_, page.newer) if page.newer else ""
        older = cursors.sign(scope, filter_, page.older) if page.older else ""
    except InvalidCursor:
        return RedirectResponse(to(filters), 303)  # an old bookmark, or rotated signing keys
    except AuditlaneError as error:
        problem = error
    export = Permission.export in scope.permissions and problem is None
    status = http_status(problem) if problem else 200
    return PAGES.render(
        request,
        "log.html",
        status,
        tenant=scope.tenant,
        form=page_model.form_of(filters, to),
        outcomes=[outcome.value for outcome in Outcome],
        severities=[severity.value for severity in Severity],
        rows=[page_model.row_of(event, to) for event in page.events],
        filtered=bool(filters),
        first=to(filters) if "cursor" in dict(pairs) else "",
        newer=to([*filters, ("cursor", newer)]) if newer else "",
        older=to([*filters, ("cursor", older)]) if older else "",
        exports=[(form.label, page_model.address([("format", form), *filters], "/v1/export")) for form in Format]
        if export
        else [],
        problem=problem,
        away=status >= 500,
        alone=services.bundle is None,
        configures=Permission.configure in scope.permissions,
        style=STYLE_PATH,
    )
