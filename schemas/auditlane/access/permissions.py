"""The permissions of credentials, and the roles of keys."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from auditlane.runtime.errors import InvalidInput


class Permission(StrEnum):
    """One permission. The value appears in tokens and error messages."""

    read = "audits:read"  # read the tenant's events
    export = "audits:export"  # export the tenant's events as a file
    configure = "audits:configure"  # configure how the log is shown, switch audit logs on and off
    contract = "audits:contract"  # define the contract: fields, their types, rules, defaults, `exclusive`
    write = "audits:write"  # send events
    admin = "audits:admin"  # operate the installation: every tenant's lag, dead letters, health


# The permissions that a viewer token may have. The others require a client's key.
VIEWER: Final = frozenset({Permission.read, Permission.export, Permission.configure, Permission.contract})

# No role grants these to a single-tenant key, since the contract is the vendor's promise of what is recorded. They must
# be granted to the key itself.
NAMED_WHERE_BOUND: Final = frozenset({Permission.contract})

ROLES: Final[dict[str, frozenset[Permission]]] = {
    "writer": frozenset({Permission.write}),
    "auditor": frozenset({Permission.read, Permission.export}),
    "vendor": VIEWER | {Permission.write},
    "admin": frozenset(Permission),
}


def permissions_of(roles: Iterable[str], *, bound: bool = False) -> frozenset[Permission]:
    """Return the union of the roles' permissions. Unknown roles grant none.

    `bound` is true if the key belongs to a single tenant.
    """
    granted = frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))
    return granted - NAMED_WHERE_BOUND if bound else granted


def parse_permissions(names: Iterable[str], *, allowed: frozenset[Permission] = VIEWER) -> frozenset[Permission]:
    """Parse permission names. `read` is short for `audits:read`. Raises InvalidInput, listing the valid names."""
    by_name = {permission.value: permission for permission in allowed}
    by_name |= {permission.name: permission for permission in allowed}
    wanted = [name.strip() for name in names if name.strip()]
    unknown = [name for name in wanted if name not in by_name]
    if unknown or not wanted:
        raise InvalidInput(
            f"These permissions cannot be granted: {', '.join(unknown)}." if unknown else "No permission was given.",
            field="permissions",
            fix="Use any of: " + ", ".join(sorted(allowed)) + ".",
        )
    return frozenset(by_name[name] for name in wanted)
