"""The pages of `/console`: the dashboard, the settings, and access to a tenant's log."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from auditlane.access.audit import Action, auditor_of
from auditlane.access.base_url import base_of
from auditlane.access.links import Page, mint_console_link
from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal
from auditlane.access.tokens import Operator, Viewer, mint_session_token
from auditlane.contract.tenants import is_tenant
from auditlane.runtime.errors import InvalidInput, Unauthenticated
from auditlane.server.auth.authentication import TenantName
from auditlane.server.auth.session import Session, session_of
from auditlane.server.middleware.parameters import reject_unknown_parameters
from auditlane.server.pages import message_page
from auditlane.server.pages.console import page_model
from auditlane.server.pages.console.access import API, HOW, Operators
from auditlane.server.pages.i18n import catalogue_for
from auditlane.server.pages.plain_page import STYLE_PATH as LOG_STYLE_PATH
from auditlane.server.pages.templates import Pages, address
from auditlane.server.pages.viewer.bundle import Entry
from auditlane.server.services import Services, services_of

_STYLE: Final = files("auditlane.server.pages").joinpath("static", "console.css").read_bytes()
STYLE_PATH: Final = f"/static/console-{hashlib.sha256(_STYLE).hexdigest()[:12]}.css"

PAGES: Final = Pages(page_model.helpers)


class ConsoleLinkRequest(BaseModel):
    """A console link's user, and the session's lifetime."""

    model_config = ConfigDict(extra="forbid")

    user: str = Field(
        min_length=1, max_length=256, description="The user's id in your system.", examples=["ops@vendor.example"]
    )
    ttl_s: int = Field(3_600, ge=60, le=86_400, description="How long the console stays open, in seconds.")


class ConsoleLink(BaseModel):
    """A link that opens the console once, within five minutes."""

    link: str


AppServices = Annotated[Services, Depends(services_of)]


async def session(request: Request, services: AppServices, _tenant: TenantName = None) -> Session:
    """Return the operator's session, in the same form as `/v1/session` for other credentials."""
    return await session_of(request, Operators(services.authenticator).entered(request), services.enablement)


async def link(request: Request, body: ConsoleLinkRequest, services: AppServices) -> ConsoleLink:
    """Mint a link to the console. The client, which must be an environment-wide admin, vouches for the user."""
    admin = await services.authenticator.principal(request)
    session, now = timedelta(seconds=body.ttl_s), datetime.now(UTC)
    url = base_of(request, services.settings.serve_url)
    operator = Operator(body.user, admin.client_id)
    made = mint_console_link(services.authenticator.signing, operator, url=url, now=now, session=session)
    auditor_of(request).record(Action.link_issued, resource="console", user=body.user, ttl_s=body.ttl_s)
    return ConsoleLink(link=made)


async def board(request: Request, services: AppServices) -> Response:
    """Serve the dashboard. A component's errors are shown in its section."""
    try:
        operator = Operators(services.authenticator).entered(request)
    except Unauthenticated as error:
        return _signed_out(request, error)
    prefix, after, span = (request.query_params.get(name, "")[:100] for name in ("prefix", "after", "range"))
    found = await page_model.load(services.operations, prefix=prefix, after=after, span=span)
    entry, minutes = _entry(services, "console"), round(services.viewer_ttl.total_seconds() / 60)
    return _page(request, "console.html", operator, entry, board=found, prefix=prefix, minutes=minutes)


async def settings(request: Request, services: AppServices) -> Response:
    """Serve the settings of the environment, or of `tenant`: the switch and the data structure."""
    try:
        operator = Operators(services.authenticator).entered(request)
    except Unauthenticated as error:
        return _signed_out(request, error)
    tenant = request.query_params.get("tenant", "")
    if tenant and not is_tenant(tenant):
        raise InvalidInput("The parameter 'tenant' is not a valid tenant id.", field="tenant")
    return _page(request, "console_settings.html", operator, _entry(services, "auditlane-settings"), tenant=tenant)


async def view_as(request: Request, services: AppServices) -> Response:
    """Open a tenant's log read-only, as its users see it, and record this as an event in that log."""
    operator = Operators(services.authenticator).entered(request)
    tenant = parse_qs((await request.body()).decode(errors="replace")).get("tenant", [""])[0]
    if not is_tenant(tenant):
        raise InvalidInput("The parameter 'tenant' is missing or is not a valid tenant id.", field="tenant")
    viewer = Viewer(tenant, operator.subject, frozenset({Permission.read}), operator.client_id, console=True)
    authenticator, ttl = services.authenticator, services.viewer_ttl
    token = mint_session_token(authenticator.signing, viewer, now=datetime.now(UTC), ttl=ttl)
    auditor_of(request).record(
        Action.viewed_as_tenant, tenant=tenant, resource="audit_log", ttl_s=int(ttl.total_seconds())
    )
    answer = RedirectResponse(address(request, Page.log.value), status_code=303)
    authenticator.cookies.put(request, answer, Page.log, token)
    return answer


async def style() -> Response:
    """Serve the style sheet. Its name contains a hash of its content."""
    return Response(_STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"})


def build(services: Services) -> APIRouter:
    """Return the routes of the pages, their style sheet, and `POST /v1/admin/console-links`.

    Without the viewer's build, the dashboard does not refresh and the settings are unavailable.
    """
    router = APIRouter()
    admin = Depends(services.authenticator.environment(Permission.admin))
    operator = Depends(Operators(services.authenticator).any_principal())
    router.post(
        "/v1/admin/console-links",
        summary="Mint a link to the console",
        tags=["administration"],
        dependencies=[Depends(reject_unknown_parameters()), admin],
    )(link)
    router.get("/console", include_in_schema=False)(board)
    router.get("/console/settings", include_in_schema=False)(settings)
    plain = Depends(reject_unknown_parameters())
    router.get(f"{API}/session", include_in_schema=False, dependencies=[plain, operator])(session)
    router.post("/console/view", include_in_schema=False, dependencies=[operator])(view_as)
    router.get(STYLE_PATH, include_in_schema=False)(style)
    return router


def _entry(services: Services, name: str) -> Entry | None:
    return services.bundle.entry(name) if services.bundle else None


def _page(request: Request, template: str, operator: Principal, entry: Entry | None, **values: Any) -> Response:
    return PAGES.render(
        request, template, user=operator.subject, entry=entry, log_style=LOG_STYLE_PATH, style=STYLE_PATH, **values
    )


def _signed_out(request: Request, error: Unauthenticated) -> Response:
    request.state.code = error.code
    words = catalogue_for(request)
    title = words.gettext("You need a link to open the console")
    return message_page.page(request, title, words.gettext(HOW), error.code, status=401)
