"""Mints and verifies tokens. A client exchanges its secret for a token, and mints short-lived tokens for viewers of one
tenant's log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from auditlane.access.keys import Client, KeysFile
from auditlane.access.permissions import VIEWER, Permission
from auditlane.access.scope import BaseFilter, Principal, TenantScope
from auditlane.access.signing import SigningKeys, header_of
from auditlane.runtime.errors import Forbidden, InvalidInput, Unauthenticated

CLIENT_TOKEN: Final = "auditlane-client+jwt"  # noqa: S105 - a purpose, not a secret
VIEWER_TOKEN: Final = "auditlane-viewer+jwt"  # noqa: S105
SESSION_TOKEN: Final = "auditlane-session+jwt"  # noqa: S105 - a viewer's token, accepted only as the session cookie
CONSOLE_TOKEN: Final = "auditlane-console+jwt"  # noqa: S105 - accepted only by the console, as its cookie
VIEWER_TTL_MIN: Final = timedelta(minutes=1)
VIEWER_TTL_MAX: Final = timedelta(hours=24)
_OPERATOR: Final = frozenset({Permission.admin, Permission.read, Permission.configure, Permission.contract})
# What a viewer with a base filter may do. All other permissions concern the whole log.
_FILTERED: Final = frozenset({Permission.read, Permission.export})
_LONGEST: Final = 16_384  # maximum length in characters; auditlane never issues a longer token


@dataclass(frozen=True, slots=True)
class Token:
    """A signed token and its lifetime."""

    text: str
    ttl: timedelta


@dataclass(frozen=True, slots=True)
class Viewer:
    """The subject of a viewer token: a user of one tenant.

    `client_id` is the client that vouches for the user, or "" if the operator does. `console` is true for an operator
    who views the tenant's log from the console. `base_filter` limits what the viewer can read.
    """

    tenant: str
    user: str
    permissions: frozenset[Permission]
    client_id: str = ""
    console: bool = False
    base_filter: BaseFilter = ()

    def claims(self) -> dict[str, Any]:
        """Return the claims for this viewer's token. `of` parses them.

        If there is a base filter, the permissions are inside `filtered`, so that a release that does not support base
        filters grants nothing.
        """
        permissions = sorted(self.permissions)
        payload: dict[str, Any] = {
            "sub": self.user,
            "tenant": self.tenant,
            "permissions": permissions,
            "client": self.client_id,
        }
        if self.base_filter:
            payload |= {"permissions": [], "filtered": {"permissions": permissions, "filter": self.base_filter}}
        return {**payload, "console": True} if self.console else payload

    @classmethod
    def of(cls, claims: dict[str, Any]) -> Viewer:
        filtered = claims.get("filtered", {})
        return cls(
            tenant=claims["tenant"],
            user=claims["sub"],
            # A permission from a later version is dropped, not misread.
            permissions=frozenset(Permission(name) for name in (filtered or claims)["permissions"] if name in VIEWER),
            client_id=claims["client"],
            console=claims.get("console") is True,
            base_filter=tuple((str(name), str(value)) for name, value in filtered.get("filter", ())),
        )


def mint_client_token(signing: SigningKeys, client: Client, *, now: datetime, ttl: timedelta) -> Token:
    """Mint a token for a client whose secret has been verified. It expires no later than the client's key."""
    if client.expires:
        ttl = min(ttl, client.expires - now)
    return Token(signing.sign(CLIENT_TOKEN, {"sub": client.client_id}, now=now, ttl=ttl), ttl)


def mint_viewer_token(signing: SigningKeys, viewer: Viewer, *, now: datetime, ttl: timedelta) -> Token:
    """Mint a token for one user of one tenant. Raises InvalidInput unless `ttl` is between a minute and a day."""
    check_viewer(viewer, ttl)
    return Token(signing.sign(VIEWER_TOKEN, viewer.claims(), now=now, ttl=ttl), ttl)


def mint_session_token(signing: SigningKeys, viewer: Viewer, *, now: datetime, ttl: timedelta) -> Token:
    """Mint a token for the pages' session cookie. Raises the same errors as `mint_viewer_token`."""
    check_viewer(viewer, ttl)
    return Token(signing.sign(SESSION_TOKEN, viewer.claims(), now=now, ttl=ttl), ttl)


def check_viewer(viewer: Viewer, ttl: timedelta) -> None:
    """Raise InvalidInput unless a token may be minted for this viewer and lifetime."""
    if not viewer.permissions <= VIEWER or not viewer.permissions:
        raise InvalidInput(
            "A viewer needs at least one permission, all of them from: " + ", ".join(sorted(VIEWER)) + ".",
            field="permissions",
        )
    if viewer.base_filter and not viewer.permissions <= _FILTERED:
        raise InvalidInput(
            "A viewer token with a filter cannot include permissions to make changes.",
            field="permissions",
            fix="Use only " + " and ".join(sorted(_FILTERED)) + ", or omit the filter.",
        )
    if not VIEWER_TTL_MIN <= ttl <= VIEWER_TTL_MAX:
        raise InvalidInput("A viewer token's ttl must be between one minute and one day.", field="ttl_s")
    if not viewer.tenant:
        raise InvalidInput("A viewer must belong to a tenant.", field="tenant")


def check_delegation(principal: Principal, viewer: Viewer) -> None:
    """Raise Forbidden unless the principal may vouch for this viewer.

    Only clients may, and only for permissions that they have themselves. A single-tenant client may vouch only for
    viewers of that tenant.
    """
    if principal.kind != "client":
        raise Forbidden("A viewer token cannot mint another.", fix="Use the token of a client: POST /v1/token.")
    if principal.tenant not in (None, viewer.tenant):
        raise Forbidden("This client belongs to another tenant.", field="tenant")
    for permission in sorted(viewer.permissions):
        principal.require(permission)


def authenticate(token: str, *, keys: KeysFile, signing: SigningKeys, now: datetime) -> Principal:
    """Return the principal of this token.

    A client's permissions are read from the keys file at each request. Revoking a key therefore ends its tokens, and
    those it minted, immediately, and they lose any permission that it loses.

    Raises TokenExpired for an expired token, and Unauthenticated for any other invalid token.
    """
    purpose = _purpose(token)
    claims = signing.verify(purpose, token, now=now)
    if purpose == CLIENT_TOKEN:
        client, until = _active(keys, str(claims["sub"]), now), _until(claims)
        own = client.client_id
        return Principal("client", own, own, client.tenant, client.permissions, until, name=client.name)
    return _viewing(claims, keys, now)


def authenticate_session(token: str, *, keys: KeysFile, signing: SigningKeys, now: datetime) -> Principal:
    """Return a page session's viewer, from the token in the cookie that a link set.

    Raises the same errors as `authenticate`.
    """
    return _viewing(signing.verify(SESSION_TOKEN, token, now=now), keys, now)


def _viewing(claims: dict[str, Any], keys: KeysFile, now: datetime) -> Principal:
    viewer = Viewer.of(claims)
    remaining, until = remaining_permissions(viewer, keys=keys, now=now), _until(claims)
    return Principal(
        "viewer",
        viewer.user,
        viewer.client_id,
        viewer.tenant,
        remaining,
        until,
        console=viewer.console,
        base_filter=viewer.base_filter,
    )


def _until(claims: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(claims["exp"], UTC)


def remaining_permissions(
    viewer: Viewer, *, keys: KeysFile, now: datetime, behind: str = "token"
) -> frozenset[Permission]:
    """Return which of the viewer's permissions the client that vouches for the viewer still has.

    Raises Unauthenticated if the client is not active, or belongs to another tenant. `behind` is what the error message
    calls the credential that the client issued.
    """
    if not viewer.client_id:
        return viewer.permissions
    client = _active(keys, viewer.client_id, now, behind)
    if client.tenant not in (None, viewer.tenant):
        raise Unauthenticated(f"The key behind this {behind} now belongs to another tenant.", fix=_fix(behind))
    if viewer.console and not _operates(client):
        raise Unauthenticated(f"The key behind this {behind} no longer belongs to an admin.", fix=_fix(behind))
    return viewer.permissions & client.permissions


def require_standing(
    scope: TenantScope,
    permission: Permission,
    *,
    keys: KeysFile,
    now: datetime,
    operators: bool = False,
    behind: str = "link",
) -> None:
    """Raise Unauthenticated or Forbidden unless the client behind a link, a download or a job still has the right to
    it.

    The client must be active, must be environment-wide or belong to this tenant, and must have the permission. With
    `operators`, for content that only operators may see, an environment-wide client also needs the permission `admin`.
    """
    if not scope.client_id:
        return
    client = _active(keys, scope.client_id, now, behind)
    if client.tenant not in (None, scope.tenant):
        raise Unauthenticated(f"The key behind this {behind} now belongs to another tenant.", fix=_fix(behind))
    for needed in (permission, *([Permission.admin] if operators and client.tenant is None else [])):
        if needed not in client.permissions:
            raise Forbidden(f"The key behind this {behind} lacks the permission {needed}.", fix=_fix(behind))


def is_ours(token: str) -> bool:
    """Return whether a token claims to be issued by auditlane. Also true for text that cannot be any issuer's token."""
    try:
        return len(token) > _LONGEST or header_of(token).typ in (CLIENT_TOKEN, VIEWER_TOKEN)
    except Unauthenticated:
        return True


def _purpose(token: str) -> str:
    typ = header_of(token).typ if len(token) <= _LONGEST else None
    if typ not in (CLIENT_TOKEN, VIEWER_TOKEN):
        raise Unauthenticated("The credential is not an auditlane token.", fix="Get a token: POST /v1/token.")
    return str(typ)


@dataclass(frozen=True, slots=True)
class Operator:
    """A console user.

    `client_id` is the admin client that vouches for the user, or "" for a holder of the signing keys.
    """

    user: str
    client_id: str = ""

    def claims(self) -> dict[str, Any]:
        """Return the claims for this operator's token. `of` parses them."""
        return {"sub": self.user, "client": self.client_id}

    @classmethod
    def of(cls, claims: dict[str, Any]) -> Operator:
        return cls(user=claims["sub"], client_id=claims["client"])


def mint_console_token(signing: SigningKeys, operator: Operator, *, now: datetime, ttl: timedelta) -> Token:
    """Mint a token for the console's cookie. Raises InvalidInput unless `ttl` is between a minute and a day."""
    check_operator(operator, ttl)
    return Token(signing.sign(CONSOLE_TOKEN, operator.claims(), now=now, ttl=ttl), ttl)


def check_operator(operator: Operator, ttl: timedelta) -> None:
    """Raise InvalidInput unless a console token may be minted for this operator and lifetime."""
    if not operator.user:
        raise InvalidInput("A console link must name a user.", field="user")
    if not VIEWER_TTL_MIN <= ttl <= VIEWER_TTL_MAX:
        raise InvalidInput("A console session's ttl must be between one minute and one day.", field="ttl_s")


def authenticate_operator(token: str, *, keys: KeysFile, signing: SigningKeys, now: datetime) -> Principal:
    """Return a console token's operator, whose client must still be an active, environment-wide admin.

    Raises TokenExpired for an expired token, and Unauthenticated for any other invalid token.
    """
    claims = signing.verify(CONSOLE_TOKEN, token, now=now)
    operator, until, granted = Operator.of(claims), _until(claims), _OPERATOR
    if client := require_operator(operator, keys=keys, now=now):
        granted &= client.permissions  # a client can grant only its own permissions
    return Principal("operator", operator.user, operator.client_id, None, granted, until)


def require_operator(operator: Operator, *, keys: KeysFile, now: datetime, behind: str = "session") -> Client | None:
    """Return the client that vouches for an operator, or None for a holder of the signing keys.

    Raises Unauthenticated unless the client is still an active, environment-wide admin.
    """
    if not operator.client_id:
        return None
    client = _active(keys, operator.client_id, now, behind)
    if not _operates(client):
        raise Unauthenticated(f"The key behind this {behind} no longer belongs to an admin.", fix="Get a new link.")
    return client


def _operates(client: Client) -> bool:
    return client.tenant is None and Permission.admin in client.permissions


def _active(keys: KeysFile, client_id: str, now: datetime, behind: str = "token") -> Client:
    client = keys.find(client_id)
    if client is None:
        raise Unauthenticated(f"The key behind this {behind} no longer exists.", fix=_fix(behind))
    state = client.state(now)
    if state != "active":
        raise Unauthenticated(f"The key behind this {behind} is {state}.", fix=_fix(behind))
    return client


def _fix(behind: str) -> str:
    return f"Get a new {behind} with an active key that has the required permissions."
