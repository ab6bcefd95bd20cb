"""Token routes. They depend only on the key files and the signing keys, not on other services."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Security
from fastapi.security import HTTPBasic
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.routing import Match

from auditlane.access.audit import Action, auditor_of
from auditlane.access.base_url import base_of
from auditlane.access.links import Page, mint_link
from auditlane.access.permissions import VIEWER, Permission, parse_permissions
from auditlane.access.tokens import Token, Viewer, check_delegation, mint_client_token, mint_viewer_token
from auditlane.contract.tenants import TENANT_PATTERN
from auditlane.query.base_filter import base_filter
from auditlane.runtime.errors import InvalidInput, Unauthenticated
from auditlane.server.auth.authentication import TenantName, named_tenant
from auditlane.server.middleware.parameters import reject_unknown_parameters
from auditlane.server.services import Services, services_of


class _Described(HTTPBasic):
    """Describes basic authentication in OpenAPI. The route reads the header itself, so that its errors are problems."""

    async def __call__(self, request: Request) -> None:  # type: ignore[override]
        return None


_BASIC = _Described(scheme_name="client-key", description="The client id and the secret of a key.")


def _viewers_only(name: str) -> str:
    try:
        return min(parse_permissions([name]))
    except InvalidInput as error:
        raise ValueError(str(error)) from error


class TokenRequest(BaseModel):
    """A client's key, as printed by `auditlane keys create`."""

    model_config = ConfigDict(extra="forbid")

    client_id: str = Field(max_length=128, examples=["al_f0e397d3d63975c8ab1a"])
    secret: str = Field(max_length=1024, examples=["als_…"])


class TokenAnswer(BaseModel):
    """A token. Send it as `Authorization: Bearer <access_token>` or in the header `x-access-token`."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - OAuth's name for it
    expires_in: int = Field(description="Lifetime in seconds.", examples=[86_400])


class ViewerTokenRequest(BaseModel):
    """A viewer token's user, tenant, permissions and lifetime."""

    model_config = ConfigDict(extra="forbid")

    tenant: str = Field(pattern=rf"^{TENANT_PATTERN}$", examples=["acme"])
    user: str = Field(
        min_length=1, max_length=256, description="The user's id in your system.", examples=["jane@acme.example"]
    )
    permissions: list[Annotated[str, AfterValidator(_viewers_only)]] = Field(
        default_factory=lambda: [Permission.read.value],
        min_length=1,
        description="One or more of " + ", ".join(sorted(VIEWER)) + ".",
        examples=[["audits:read", "audits:export"]],
    )
    filter: dict[str, str | list[str]] | None = Field(
        None,
        description="Limits the token to the events that match: any filters of `GET /v1/events` except"
        " `include_access`, each with one value or several alternatives. Names of custom fields begin with `fields.`.",
        examples=[{"resource": "document", "resource_id": "doc-7"}],
    )
    ttl_s: int | None = Field(None, ge=60, le=86_400, description="Lifetime in seconds.", examples=[900])
    link: bool = Field(False, description="Also return a link that opens the page. It works once, within five minutes.")
    page: Literal["log", "embed"] = Field("log", description="Page that the link opens; `embed` is the log in a frame.")


class ViewerTokenAnswer(TokenAnswer):
    """A token for one user of one tenant."""

    tenant: str
    permissions: list[str]
    filter: dict[str, str | list[str]] | None = Field(None, description="The filter that limits the token.")
    link: str | None = Field(None, description="One-time URL that opens the page for this user.")


def exchange(services: Services, request: Request, client_id: str, secret: str) -> Token:
    """Exchange a client's key for a token. Used by all routes that issue client tokens.

    Raises Unauthenticated, or RateLimited after too many failures or tokens.
    """
    authenticator, limits = services.authenticator, services.sign_in_limits
    now, auditor = datetime.now(UTC), auditor_of(request)
    try:
        client = authenticator.keys.verify(client_id, secret, now=now)
    except Unauthenticated:
        known = authenticator.keys.find(client_id)  # an unknown id is not recorded, since it may be a mistyped secret
        auditor.record(
            Action.token_refused,
            tenant=known.tenant if known else None,
            outcome="denied",
            resource="token",
            client=known.client_id if known else None,
        )
        limits.failed(request, client_id)
        raise
    limits.issue(client.client_id)
    request.state.who = f"client:{client.client_id}"
    auditor.actor_id, auditor.actor_type, auditor.tenant = client.client_id, "api_key", client.tenant
    auditor.actor_name = client.name or None
    auditor.record(Action.token_issued, resource="token", roles=" ".join(client.roles))
    ttl = timedelta(seconds=services.settings.token_ttl_s)
    return mint_client_token(authenticator.signing, client, now=now, ttl=ttl)


async def token(
    request: Request,
    services: Annotated[Services, Depends(services_of)],
    body: TokenRequest | None = None,
    _basic: Annotated[object, Security(_BASIC)] = None,
) -> TokenAnswer:
    """Send the key as JSON, or as basic authentication with an empty body."""
    client_id, secret = (body.client_id, body.secret) if body else _basic_credentials(request)
    minted = exchange(services, request, client_id, secret)
    return TokenAnswer(access_token=minted.text, expires_in=int(minted.ttl.total_seconds()))


async def viewer_token(
    request: Request,
    body: ViewerTokenRequest,
    services: Annotated[Services, Depends(services_of)],
    _tenant: TenantName = None,
) -> ViewerTokenAnswer:
    """Returns a token for a tenant's user, requested by the vendor's backend. A client can grant only its own
    permissions.
    """
    principal = await services.authenticator.principal(request)
    if named_tenant(request) not in (None, body.tenant):
        raise InvalidInput(
            "The header and the body name different tenants.",
            field="tenant",
            fix="Omit the header, or name the same tenant.",
        )
    viewer = Viewer(
        body.tenant,
        body.user,
        parse_permissions(body.permissions),
        principal.client_id,
        base_filter=() if body.filter is None else base_filter(body.filter),
    )
    check_delegation(principal, viewer)
    page, base = Page[body.page], base_of(request, services.settings.serve_url) if body.link else ""
    if body.link and page is not Page.log and not _serves(request, page.value):
        raise InvalidInput(f"This service has no page {page.value}.", field="page", fix="Omit `page`.")
    services.sign_in_limits.issue(principal.client_id, viewer.tenant)
    now, ttl = datetime.now(UTC), timedelta(seconds=body.ttl_s) if body.ttl_s else services.viewer_ttl
    signing = services.authenticator.signing
    minted = mint_viewer_token(signing, viewer, now=now, ttl=ttl)
    auditor_of(request).record(
        Action.link_issued if body.link else Action.viewer_token_issued,
        tenant=viewer.tenant,
        resource="viewer_token",
        user=viewer.user,
        permissions=" ".join(sorted(viewer.permissions)),
        filter=json.dumps(body.filter, ensure_ascii=False) if body.filter else None,
        ttl_s=int(minted.ttl.total_seconds()),
    )
    return ViewerTokenAnswer(
        access_token=minted.text,
        expires_in=int(minted.ttl.total_seconds()),
        tenant=viewer.tenant,
        permissions=sorted(viewer.permissions),
        filter=body.filter,
        link=mint_link(signing, viewer, url=base, now=now, session=ttl, page=page) if body.link else None,
    )


def build(services: Services) -> APIRouter:
    """Return the routes `POST /v1/token` and `POST /v1/viewer-tokens`."""
    router = APIRouter(prefix="/v1", tags=["tokens"], dependencies=[Depends(reject_unknown_parameters())])
    router.post("/token", summary="Exchange a client's key for a token")(token)
    router.post(
        "/viewer-tokens",
        summary="Mint a token for a user of a tenant",
        dependencies=[Depends(services.authenticator.client())],
    )(viewer_token)
    return router


def _serves(request: Request, path: str) -> bool:
    """Return whether this app serves the page. The log may be served by another process behind the same address."""
    scope = dict(request.scope) | {"method": "GET", "path": path}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


def _basic_credentials(request: Request) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "basic":
            client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
            if colon:
                return client_id, secret
    except (binascii.Error, UnicodeDecodeError):
        pass
    raise Unauthenticated(
        "The request contains no client id and secret.",
        fix='Send {"client_id": …, "secret": …} as JSON, or basic authentication.',
    )
