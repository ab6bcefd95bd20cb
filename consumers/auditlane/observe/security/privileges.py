"""Compares the ClickHouse grants of an account with those that its role needs. Performs no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from auditlane.store import roles

_GRANT_STATEMENT: Final = re.compile(
    r"GRANT (?P<privileges>.+?) ON (?P<place>.+?)(?: TO (?P<grantee>.+?))?(?P<option> WITH GRANT OPTION)?"
)
_ROLE_STATEMENT: Final = re.compile(r"GRANT (?P<roles>.+?) TO (?P<grantee>.+?)(?: WITH ADMIN OPTION)?")
_COMMAS: Final = re.compile(r",\s*(?![^(]*\))")  # except between the columns of one privilege
# Creating tables requires these on servers that check engines and disks. They give no access to data.
_HARMLESS: Final = frozenset({"TABLE ENGINE"})
_BACKUP_PLACE: Final = "DISK"


@dataclass(frozen=True, slots=True)
class Privilege:
    """A privilege such as INSERT on a target such as `audit.events`, `audit.*` or `*.*`. The target is not quoted."""

    name: str
    place: str
    grantable: bool = False

    def __str__(self) -> str:
        return f"{self.name} ON {self.place}{' WITH GRANT OPTION' if self.grantable else ''}"


def parse(statement: str) -> Iterator[Privilege]:
    """Yield the privileges in a GRANT statement, or in its text after GRANT. Other statements yield none.

    Columns are ignored, so a privilege for some columns counts as a privilege for the whole table.
    """
    text = statement if statement.startswith(("GRANT ", "REVOKE ")) else f"GRANT {statement}"
    found = _GRANT_STATEMENT.fullmatch(text.strip().rstrip(";"))
    if found is None:  # a role, or a partial revoke
        return
    place = _unquoted(found["place"])
    for name in _COMMAS.split(found["privileges"]):
        yield Privilege(name.partition("(")[0].strip().upper(), place, bool(found["option"]))


def by_account(statements: Iterable[str]) -> dict[str, list[Privilege]]:
    """Return the privileges of each user and role, from statements of the form GRANT … TO account."""
    found: dict[str, list[Privilege]] = {}
    for statement in statements:
        grant = _GRANT_STATEMENT.fullmatch(statement)
        if grant and grant["grantee"]:
            found.setdefault(_unquoted(grant["grantee"]), []).extend(parse(statement))
    return found


def roles_by_user(statements: Iterable[str]) -> dict[str, frozenset[str]]:
    """Return the roles of all users and roles that have any, from statements of the form GRANT role TO account."""
    found: dict[str, frozenset[str]] = {}
    for statement in statements:
        grant = _ROLE_STATEMENT.fullmatch(statement)
        if grant and not _GRANT_STATEMENT.fullmatch(statement):
            roles = frozenset(_unquoted(role).strip() for role in grant["roles"].split(","))
            account = _unquoted(grant["grantee"])
            found[account] = found.get(account, frozenset()) | roles
    return found


def _unquoted(name: str) -> str:
    return name.replace("`", "").replace('"', "")


def excess(have: Iterable[Privilege], *, role: str, database: str, groups: Mapping[str, str]) -> list[Privilege]:
    """Return the privileges in `have` that `role` does not need.

    `groups` maps each privilege to its group, as in `system.privileges`. A group contains its privileges.
    """
    children: dict[str, list[str]] = {}
    for name, group in groups.items():
        children.setdefault(group, []).append(name)

    def leaves(name: str) -> frozenset[str]:
        below = children.get(name, ()) if name in groups or name in children else ()
        return frozenset().union(*map(leaves, below)) if below else frozenset({name})

    needed: dict[str, set[str]] = {}
    for grant in roles.grants(role, database):
        for privilege in parse(grant):
            needed.setdefault(privilege.place, set()).update(leaves(privilege.name))
    found = []
    for privilege in have:
        if privilege.name in _HARMLESS or (role == "init" and privilege.place == _BACKUP_PLACE):
            continue
        allowed = set().union(*(names for place, names in needed.items() if _covers(place, privilege.place)))
        if privilege.grantable or not leaves(privilege.name) <= allowed:
            found.append(privilege)
    return found


def _covers(place: str, other: str) -> bool:
    if place in ("*.*", other):
        return True
    database, _, table = place.partition(".")
    return table == "*" and other.partition(".")[0] == database and "." in other
