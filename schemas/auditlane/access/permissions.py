"""What a credential may do, and the roles that a key can carry."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from auditlane.runtime.errors import InvalidInput


class Permission(StrEnum):
    """One right. The value is what tokens carry and what error messages name."""

    read = "audits:read"  # see the tenant's events
    export = "audits:export"  # take them away as a file
    configure = "audits:configure"  # say how the log is shown, switch audit logs on and off
    contract = "audits:contract"  # decide what an event must be: fields, their types, rules, defaults, `exclusive`
    write = "audits:write"  # send events
    admin = "audits:admin"  # operate the installation: every tenant's lag, dead letters, health


# What a viewer token may carry; the rest needs a client of its own.
VIEWER: Final = frozenset({Permission.read, Permission.export, Permission.configure, Permission.contract})

# What no role gives to a key that is bound to a tenant: the contract is the vendor's promise of what is recorded. Such
# a key has it only when it is named for the key itself.
NAMED_WHERE_BOUND: Final = frozenset({Permission.contract})

ROLES: Final[dict[str, frozenset[Permission]]] = {
    "writer": frozenset({Permission.write}),
    "auditor": frozenset({Permission.read, Permission.export}),
    "vendor": VIEWER | {Permission.write},
    "admin": frozenset(Permission),
}


def permissions_of(roles: Iterable[str], *, bound: bool = False) -> frozenset[Permission]:
    """The union of the roles' permissions; an unknown role grants nothing. `bound`: for a key of one tenant."""
    granted = frozenset().union(*(ROLES.get(role, frozenset()) for role in roles))
    return granted - NAMED_WHERE_BOUND if bound else granted


def parse_permissions(names: Iterable[str], *, allowed: frozenset[Permission] = VIEWER) -> frozenset[Permission]:
    """The named permissions, or InvalidInput that lists what may be named. `read` is short for `audits:read`."""
    by_name = {one.value: one for one in allowed} | {one.name: one for one in allowed}
    wanted = [name.strip() for name in names if name.strip()]
    unknown = [name for name in wanted if name not in by_name]
    if unknown or not wanted:
        raise InvalidInput(
            f"These permissions cannot be given: {', '.join(unknown)}." if unknown else "No permission is named.",
            field="permissions",
            fix="Name some of: " + ", ".join(sorted(allowed)) + ".",
        )
    return frozenset(by_name[name] for name in wanted)
