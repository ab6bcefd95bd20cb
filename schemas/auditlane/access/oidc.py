"""Tokens of somebody else's issuer (OpenID Connect): which of their claims is the tenant, and what they allow here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt

from auditlane.access.jwks import ALGORITHMS, KeySet
from auditlane.access.permissions import NAMED_WHERE_BOUND, VIEWER, Permission
from auditlane.access.scope import Principal
from auditlane.access.signing import header_of
from auditlane.runtime.errors import Forbidden, TokenExpired, Unauthenticated

# What a token of somebody else can be given: never what concerns every tenant.
GRANTABLE: Final = VIEWER | {Permission.write}
_WILD: Final = ".*"
Grants = Mapping[str, frozenset[Permission]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcPolicy:
    """What is asked of a token. Claims are named by dotted paths: `realm_access.roles`."""

    issuer: str
    audiences: tuple[str, ...]
    tenant_claim: str = "tenantId"
    user_claim: str = "sub"
    permissions_claim: str = "permissions"
    roles_claim: str = "roles"
    permissions: Grants = field(default_factory=dict)
    roles: Grants = field(default_factory=dict)
    leeway: timedelta = timedelta(seconds=30)


class Oidc:
    """Verifies tokens of one issuer. Blocks for some seconds at most, when its keys have to be fetched."""

    def __init__(self, policy: OidcPolicy, keys: KeySet, *, is_tenant: Callable[[str], bool]) -> None:
        """`is_tenant` says whether a claim's text can be a tenant id of ours."""
        self.policy = policy
        self.keys = keys
        self._is_tenant = is_tenant

    def authenticate(self, token: str, *, now: datetime) -> Principal:
        """Who presents this token: a viewer of one tenant, with what its permissions and roles allow, maybe nothing.

        Raises TokenExpired, Unauthenticated for anything else that does not verify, Forbidden for a good token that
        names no tenant, IssuerUnavailable when the issuer's keys cannot be had.
        """
        claims = self._verified(token, now)
        tenant, user = _at(claims, self.policy.tenant_claim), _at(claims, self.policy.user_claim)
        tenant = str(tenant) if isinstance(tenant, (str, int)) and not isinstance(tenant, bool) else ""
        if not isinstance(user, (str, int)) or not str(user):
            raise Unauthenticated(f"The token says no {self.policy.user_claim}.", fix="Get one that does.")
        if not self._is_tenant(tenant):
            raise Forbidden(
                f"The token's claim {self.policy.tenant_claim} names no tenant.",
                fix="AUDITLANE_OIDC_TENANT_CLAIM says which claim does.",
            )
        until = datetime.fromtimestamp(claims["exp"], UTC)
        return Principal("viewer", str(user), "", tenant, permissions(claims, self.policy), until)

    def at_hand(self, token: str) -> bool:
        """Whether `authenticate` would not have to ask the issuer, and so not block."""
        try:
            return self.keys.knows(header_of(token).kid)
        except Unauthenticated:
            return True

    def _verified(self, token: str, now: datetime) -> dict[str, Any]:
        header = header_of(token)
        if header.alg not in ALGORITHMS:
            raise Unauthenticated("The token is not signed in a way that is accepted here.")
        key = self.keys.key(header.kid)
        if key.algorithm not in ("", header.alg):
            raise Unauthenticated("The token is signed by another algorithm than its key is for.")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[header.alg],
                audience=self.policy.audiences,
                issuer=self.policy.issuer,
                # Times are compared below, with the caller's clock.
                options={"require": ["exp"], "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            end, start = int(claims["exp"]), int(claims.get("nbf", 0))
        except (jwt.PyJWTError, ValueError, TypeError, UnicodeError, OverflowError) as error:
            raise Unauthenticated("The token does not verify.", fix="Get a new token from its issuer.") from error
        moment, leeway = now.timestamp(), self.policy.leeway.total_seconds()
        if moment >= end + leeway:
            raise TokenExpired("The token has expired.", fix="Get a new token from its issuer.")
        if moment < start - leeway:
            raise Unauthenticated("The token is not valid yet.", fix="Compare the clocks here and at its issuer.")
        return claims


def permissions(claims: Mapping[str, Any], policy: OidcPolicy) -> frozenset[Permission]:
    """What the claims allow: the union over the permissions and the roles that the policy knows.

    A wildcard in the token gives everything but what has to be named.
    """
    claimed = list(_texts(_at(claims, policy.permissions_claim)))
    granted = {
        one
        for name, gives in policy.permissions.items()
        if any(_covers(text, name) for text in claimed)
        for one in gives
        if one not in NAMED_WHERE_BOUND or name in claimed
    }
    roles = set(_texts(_at(claims, policy.roles_claim)))
    granted |= {one for name, gives in policy.roles.items() if name in roles for one in gives}
    return frozenset(granted) & GRANTABLE


def _covers(claimed: str, name: str) -> bool:
    """`fe.secure.*` in a token stands for every permission that begins with `fe.secure.`; a bare `*` for none."""
    return claimed == name or (claimed.endswith(_WILD) and len(claimed) > len(_WILD) and name.startswith(claimed[:-1]))


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """The claim of this very name (some are URLs, with dots in them), else the one that the dotted path leads to."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _texts(value: object) -> Iterable[str]:
    """A list of texts, or words in one text, as `scope` has them."""
    if isinstance(value, str):
        return value.split()
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
