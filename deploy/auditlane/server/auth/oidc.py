"""The external token issuer configured in the settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from auditlane.access.jwks import KeySet
from auditlane.access.oidc import GRANTABLE, Grants, Oidc, OidcPolicy
from auditlane.access.permissions import parse_permissions
from auditlane.contract.tenants import OURS, is_tenant
from auditlane.runtime import validators
from auditlane.runtime.errors import ConfigError, InvalidInput
from auditlane.runtime.settings import Settings, variable


def from_settings(settings: Settings) -> Oidc | None:
    """Return the issuer, or None if none is configured. Sends no request. Raises ConfigError for unknown
    permissions."""
    if not settings.oidc_issuer:
        return None
    policy = OidcPolicy(
        issuer=settings.oidc_issuer,
        audiences=tuple(validators.listed(settings.oidc_audience)),
        tenant_claim=settings.oidc_tenant_claim,
        user_claim=settings.oidc_user_claim,
        permissions_claim=settings.oidc_permissions_claim,
        roles_claim=settings.oidc_roles_claim,
        permissions=_grants("oidc_permissions", settings.oidc_permissions),
        roles=_grants("oidc_roles", settings.oidc_roles),
        leeway=timedelta(seconds=settings.oidc_leeway_s),
    )
    keys = KeySet(settings.oidc_issuer, url=settings.oidc_jwks_url, ca=str(settings.oidc_ca or "") or None)
    return Oidc(policy, keys, is_tenant=lambda tenant: is_tenant(tenant) and tenant != OURS)


def _grants(setting: str, configured: Mapping[str, Any]) -> Grants:
    try:
        return {
            name: parse_permissions([granted] if isinstance(granted, str) else map(str, granted), allowed=GRANTABLE)
            for name, granted in configured.items()
        }
    except (InvalidInput, TypeError) as error:
        raise ConfigError(
            f"{variable(setting)}: {error}",
            field=variable(setting),
            fix='Use the form {"name at the issuer": ["audits:read", …]}.',
        ) from error
