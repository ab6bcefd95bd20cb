"""The registry client from the settings, for everything except the SDK."""

from __future__ import annotations

from auditlane.contract.registry import RegistryClient
from auditlane.contract.registry_reader import Observe
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import Settings


def registry_client(settings: Settings, observe: Observe | None = None) -> RegistryClient:
    """Create the registry client from the settings. `observe` is called after every request.

    Raises ConfigError if the registry is not configured.
    """
    if not settings.registry_url:
        raise ConfigError(
            "The schema registry is not configured.",
            fix='Set AUDITLANE_REGISTRY_URL; with a running `auditlane up`: eval "$(auditlane env)"',
        )
    return RegistryClient(
        settings.registry_url,
        user=settings.registry_user,
        password=settings.registry_password.get_secret_value(),
        token=settings.registry_token.get_secret_value(),
        ca=str(settings.registry_ca) if settings.registry_ca else None,
        observe=observe,
    )
