"""What a caller over HTTP is told when the registry fails: not where it is. The operator's log has the whole of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from auditlane.runtime.errors import RegistryRefused, RegistryUnavailable, SchemaNotFound
from auditlane.runtime.log import get


@contextmanager
def for_callers() -> Iterator[None]:
    """Raises RegistryUnavailable and RegistryRefused, SchemaNotFound among them, without hosts and settings."""
    try:
        yield
    except (RegistryUnavailable, RegistryRefused) as error:
        get("structure").warning("structure.registry", code=error.code, problem=str(error))
        raise _told(error) from error


def _told(error: RegistryUnavailable | RegistryRefused) -> RegistryUnavailable | RegistryRefused:
    if isinstance(error, RegistryUnavailable):
        return RegistryUnavailable(
            "The schema registry does not answer now, so it is not sure whether the contract was changed.",
            fix="Repeat the request a little later: it finishes what is left.",
        )
    reason = "The service's log says why."
    if isinstance(error, SchemaNotFound):
        return SchemaNotFound("The schema registry holds no contract of the events yet.", fix=reason)
    return RegistryRefused("The schema registry refused the contract.", fix=reason)
