"""What each part of auditlane may do in ClickHouse: the grants of its user, on a cluster and in the embedded one.

Pure text: nothing here talks to ClickHouse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# By role: privileges, and the table of auditlane's database that they are for (`*` for all of them), or `*.*`.
_GRANTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    # Makes the tables, and runs what operators do: replay into another table, backup, restore, doctor.
    "init": (
        ("SHOW, SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, CHECK, BACKUP, SYSTEM MERGES", "*"),
        ("SELECT", "system.*"),
        ("SYSTEM FLUSH LOGS", "*.*"),
    ),
    "worker": (("SELECT, INSERT", "events"),),
    "query": (
        ("SELECT", "*"),
        ("INSERT", "settings"),
        ("INSERT", "link_claims"),
    ),
    # People and BI tools that read every tenant's events in SQL.
    "analyst": (("SELECT", "events"), ("SELECT", "events_all"), ("SELECT", "log")),
}
ROLES: Final = tuple(_GRANTS)


def grants(role: str, database: str) -> list[str]:
    """The role's grants, each as it stands between GRANT and TO: "SELECT, INSERT ON `audit`.events"."""
    return [
        f"{privileges} ON {place if '.' in place else f'`{database}`.{place}'}" for privileges, place in _GRANTS[role]
    ]


def script(database: str) -> str:
    """SQL that makes every role, under names that begin with `auditlane_`."""
    lines = []
    for role in ROLES:
        lines.append(f"CREATE ROLE IF NOT EXISTS auditlane_{role};")
        lines += [f"GRANT {grant} TO auditlane_{role};" for grant in grants(role, database)]
    return "\n".join(lines) + "\n"
