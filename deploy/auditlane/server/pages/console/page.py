"""The pages of `/console`: the dashboard, the settings, and access to a tenant's log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

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
from auditlane.runtime.errors import InvalidInput
from auditlane.server.auth.authentication import TenantName
from auditlane.server.auth.session import Session, session_of
from auditlane.server.middleware.parameters import reject_unknown_parameters
from auditlane.server.pages.console import frame, page_model
from auditlane.server.pages.console.access import API, Operators
from auditlane.server.pages.templates import address
from auditlane.server.services import Services, services_of


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
    """Return the operator's session, like `/v1/session` for other credentials."""
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


async def board(request: Request, services: Services, operator: Principal) -> Response:
    """Serve the dashboard. A component's errors are shown in its section."""
    found = await page_model.load(services.operations, span=request.query_params.get("range", ""))
    settings = services.settings
    return frame.rendered(
        request,
        "console.html",
        operator,
        entry=frame.entry_of(services, "console"),
        board=found,
        late_s=settings.observe_lag_s,
        disk_free_ratio=settings.observe_disk_free_ratio,
    )


async def settings(request: Request, services: Services, operator: Principal) -> Response:
    """Serve the settings of the environment, or of `tenant`: the switch and the data structure."""
    tenant = request.query_params.get("tenant", "")
    if tenant and not is_tenant(tenant):
        raise InvalidInput("The parameter 'tenant' is not a valid tenant id.", field="tenant")
    entry = frame.entry_of(services, "auditlane-settings")
    return frame.rendered(request, "console_settings.html", operator, entry=entry, tenant=tenant)


async def view_as(request: Request, services: AppServices) -> Response:
    """Open a tenant's log read-only, as its users see it, and record this as an event in that log."""
    operator = Operators(services.authenticator).entered(request)
    tenant = (await frame.form_of(request)).get("tenant", [""])[0]
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
    return Response(
        frame.STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=31536000, immutable"}
    )


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
    router.get("/console", include_in_schema=False)(frame.page(board))
    router.get("/console/settings", include_in_schema=False)(frame.page(settings))
    plain = Depends(reject_unknown_parameters())
    router.get(f"{API}/session", include_in_schema=False, dependencies=[plain, operator])(session)
    router.post("/console/view", include_in_schema=False, dependencies=[operator])(view_as)
    router.get(frame.STYLE_PATH, include_in_schema=False)(style)
    return router
