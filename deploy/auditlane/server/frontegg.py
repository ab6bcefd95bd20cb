"""Authenticates Frontegg's clients: their token routes, and the tenant in their header."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from auditlane.access.scope import TENANT_HEADER as OUR_HEADER
from auditlane.contract.frontegg import TENANT_HEADER
from auditlane.runtime.errors import InvalidInput
from auditlane.server.auth.authentication import named_tenant
from auditlane.server.auth.tokens import exchange
from auditlane.server.services import Services, services_of

TOKEN_PATHS: Final = ("/auth/vendor", "/vendors/auth/token")
LONGEST_S: Final = 2_684_354  # clients set a timer for 80 % of it, and JavaScript fires longer timers immediately


def frontegg_tenant(request: Request) -> str | None:
    """Return the tenant in Frontegg's or auditlane's own header, or None if there is neither.

    Raises InvalidInput if the headers differ.
    """
    theirs = named_tenant(request, TENANT_HEADER) if request.headers.get(TENANT_HEADER) else None
    ours = named_tenant(request)
    if theirs and ours and theirs != ours:
        raise InvalidInput(f"{TENANT_HEADER} and {OUR_HEADER} differ.", field=TENANT_HEADER, fix="Send only one.")
    return theirs or ours


class FronteggCredentials(BaseModel):
    """A client's key with Frontegg's member names. Other members are ignored."""

    client_id: str = Field(alias="clientId", max_length=128)
    secret: str = Field(max_length=1024)


class FronteggToken(BaseModel):
    """A token and its lifetime in seconds. Clients request the next token after 80 % of that."""

    token: str
    expires_in: Annotated[int, Field(serialization_alias="expiresIn", gt=0, le=LONGEST_S)]


async def token(
    request: Request, body: FronteggCredentials, services: Annotated[Services, Depends(services_of)]
) -> FronteggToken:
    """Exchange a client's key for a token."""
    minted = exchange(services, request, body.client_id, body.secret)
    return FronteggToken(token=minted.text, expires_in=min(LONGEST_S, max(1, int(minted.ttl.total_seconds()))))


def build() -> APIRouter:
    """Return Frontegg's two token routes. Like auditlane's own, they depend only on the key files and the signing
    keys.
    """
    router = APIRouter(include_in_schema=False)
    for path in TOKEN_PATHS:
        router.add_api_route(path, token, methods=["POST"])
    return router
