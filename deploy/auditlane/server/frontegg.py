"""What Frontegg's clients ask of a server before they send or read: a token, and addresses that mind no slash."""

from typing import Annotated, Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.types import ASGIApp, Receive, Scope, Send

from auditlane.access.scope import TENANT_HEADER as OUR_HEADER
from auditlane.contract.frontegg import TENANT_HEADER
from auditlane.runtime.errors import InvalidInput
from auditlane.server.auth.authentication import named_tenant
from auditlane.server.auth.tokens import Exchange
from auditlane.server.frontegg_words import FAMILIES

TOKEN_PATHS: Final = ("/auth/vendor", "/vendors/auth/token")
LONGEST_S: Final = 2_684_354  # at 80 % of it JavaScript arms a timer, which a longer life would set off at once


class Slashes:
    """ASGI middleware: on their addresses, several slashes are one and a trailing one is none.

    Never by a redirect: their clients would repeat a POST as a GET. Other addresses are left as they are.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Changed in place, so that the access log and the metrics outside see the route.
        if scope["type"] == "http" and FAMILIES.fullmatch(scope["path"]):
            scope["path"] = plain(scope["path"])
            scope["raw_path"] = scope["path"].encode()
        await self._app(scope, receive, send)


def plain(path: str) -> str:
    """`/audits//stats/` as `/audits/stats`."""
    return "/" + "/".join(part for part in path.split("/") if part)


def their_tenant(request: Request) -> str | None:
    """The tenant in their header, else in ours; an empty one is none. Raises InvalidInput when the two differ."""
    theirs = named_tenant(request, TENANT_HEADER) if request.headers.get(TENANT_HEADER) else None
    ours = named_tenant(request)
    if theirs and ours and theirs != ours:
        raise InvalidInput(f"{TENANT_HEADER} and {OUR_HEADER} differ.", field=TENANT_HEADER, fix="Send one of them.")
    return theirs or ours


class KeyOfTheirs(BaseModel):
    """A client's key in their words; other members are ignored."""

    client_id: str = Field(alias="clientId", max_length=128)
    secret: str = Field(max_length=1024)


class TokenOfTheirs(BaseModel):
    """A token, and the seconds that it lives; a client asks for the next one when 80 % of them are over."""

    token: str
    expires_in: Annotated[int, Field(serialization_alias="expiresIn", gt=0, le=LONGEST_S)]


def build(exchange: Exchange) -> APIRouter:
    """Their two token routes. They depend on the keys and the signing keys only, as ours."""
    router = APIRouter(include_in_schema=False)

    async def token(request: Request, body: KeyOfTheirs) -> TokenOfTheirs:
        minted = exchange(request, body.client_id, body.secret)
        return TokenOfTheirs(token=minted.text, expires_in=min(LONGEST_S, max(1, int(minted.ttl.total_seconds()))))

    for path in TOKEN_PATHS:
        router.add_api_route(path, token, methods=["POST"])
    return router
