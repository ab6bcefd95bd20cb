"""Maps the claims of an external issuer's tokens (OpenID Connect) to a tenant, a user and permissions."""

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

# The permissions that an external token can be granted: none that concerns every tenant.
GRANTABLE: Final = VIEWER | {Permission.write}
_WILD: Final = ".*"
_NEW_TOKEN: Final = "Get a new token from its issuer."  # noqa: S105 - a sentence, not a secret
Grants = Mapping[str, frozenset[Permission]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcPolicy:
    """The claims that a token must have, and the permissions that they grant. Claims are given as dotted paths, such as
    `realm_access.roles`.
    """

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
    """Verifies one issuer's tokens. A call blocks for a few seconds at most, while keys are fetched."""

    def __init__(self, policy: OidcPolicy, keys: KeySet, *, is_tenant: Callable[[str], bool]) -> None:
        """Create the verifier. `is_tenant` decides whether a claim's value is a valid tenant id."""
        self.policy = policy
        self.keys = keys
        self._is_tenant = is_tenant

    def authenticate(self, token: str, *, now: datetime) -> Principal:
        """Return the viewer identified by this token, with the permissions that its claims grant, possibly none.

        Raises TokenExpired for an expired token, Unauthenticated for any other invalid token, Forbidden for a valid
        token without a tenant, and IssuerUnavailable if the issuer's keys cannot be fetched.
        """
        claims = self._verified(token, now)
        tenant, user = _at(claims, self.policy.tenant_claim), _at(claims, self.policy.user_claim)
        tenant = str(tenant) if isinstance(tenant, (str, int)) and not isinstance(tenant, bool) else ""
        if not isinstance(user, (str, int)) or not str(user):
            raise Unauthenticated(
                f"The token has no `{self.policy.user_claim}` claim.", fix="Use a token that includes it."
            )
        if not self._is_tenant(tenant):
            raise Forbidden(
                f"The token's claim `{self.policy.tenant_claim}` is not a tenant id.",
                fix="Set AUDITLANE_OIDC_TENANT_CLAIM to the claim that holds the tenant id.",
            )
        until = datetime.fromtimestamp(claims["exp"], UTC)
        return Principal("viewer", str(user), "", tenant, permissions(claims, self.policy), until)

    def has_cached_key(self, token: str) -> bool:
        """Return whether `authenticate` can verify the token with a cached key, and therefore does not block."""
        try:
            return self.keys.has_cached(header_of(token).kid)
        except Unauthenticated:
            return True

    def _verified(self, token: str, now: datetime) -> dict[str, Any]:
        header = header_of(token)
        if header.alg not in ALGORITHMS:
            raise Unauthenticated("The token's signature algorithm is not accepted.", fix=_NEW_TOKEN)
        key = self.keys.key(header.kid)
        if key.algorithm not in ("", header.alg):
            raise Unauthenticated("The token's signature algorithm does not match its key.", fix=_NEW_TOKEN)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[header.alg],
                audience=self.policy.audiences,
                issuer=self.policy.issuer,
                # Times are checked below, by the caller's clock.
                options={"require": ["exp"], "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
            end, start = int(claims["exp"]), int(claims.get("nbf", 0))
        except (jwt.PyJWTError, ValueError, TypeError, UnicodeError, OverflowError) as error:
            raise Unauthenticated("The token is not valid.", fix=_NEW_TOKEN) from error
        moment, leeway = now.timestamp(), self.policy.leeway.total_seconds()
        if moment >= end + leeway:
            raise TokenExpired("The token has expired.", fix=_NEW_TOKEN)
        if moment < start - leeway:
            raise Unauthenticated(
                "The token is not valid yet.", fix="Check that the clocks of the service and the issuer agree."
            )
        return claims


def permissions(claims: Mapping[str, Any], policy: OidcPolicy) -> frozenset[Permission]:
    """Return the permissions that the claims grant, directly and through the policy's roles.

    A wildcard in the token covers all permissions except those that must be granted by name.
    """
    claimed = list(_texts(_at(claims, policy.permissions_claim)))
    granted = {
        permission
        for name, grants in policy.permissions.items()
        if any(_covers(text, name) for text in claimed)
        for permission in grants
        if permission not in NAMED_WHERE_BOUND or name in claimed
    }
    roles = set(_texts(_at(claims, policy.roles_claim)))
    granted |= {permission for name, grants in policy.roles.items() if name in roles for permission in grants}
    return frozenset(granted) & GRANTABLE


def _covers(claimed: str, name: str) -> bool:
    """Return whether a claimed permission covers a name.

    `fe.secure.*` covers all names below `fe.secure.`. A bare `*` covers no name.
    """
    return claimed == name or (claimed.endswith(_WILD) and len(claimed) > len(_WILD) and name.startswith(claimed[:-1]))


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """Return the claim with exactly this name, which may be a URL with dots, or else the claim at this
    dotted path.
    """
    if path in claims:
        return claims[path]
    value: Any = claims
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _texts(value: object) -> Iterable[str]:
    """Return the strings in a list, or the words of a single string such as the claim `scope`."""
    if isinstance(value, str):
        return value.split()
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
