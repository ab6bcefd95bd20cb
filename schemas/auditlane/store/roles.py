"""ClickHouse grants of each auditlane component, on a cluster and in the embedded server.

Pure: nothing here connects to ClickHouse.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# By role: privileges, and the table in auditlane's database to which they apply (`*` for all of them), or `*.*`.
_GRANTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    # Creates the tables, and runs operators' commands: replay into another table, backup, restore, doctor.
    "init": (
        ("SHOW, SELECT, INSERT, ALTER, CREATE, DROP, TRUNCATE, OPTIMIZE, CHECK, BACKUP, SYSTEM MERGES", "*"),
        ("SELECT", "system.*"),
        ("SYSTEM FLUSH LOGS", "*.*"),
        ("SHOW USERS, SHOW ROLES, SHOW ROW POLICIES", "*.*"),  # for the security check
    ),
    "worker": (("SELECT, INSERT", "events"), ("SELECT", "migrations")),
    "query": (
        ("SELECT", "*"),
        ("INSERT", "settings"),
        ("INSERT", "link_claims"),
        ("INSERT", "leases"),
        ("INSERT", "observations"),
        ("SELECT", "system.disks"),
    ),
    # For people and BI tools that query all tenants' events in SQL.
    "analyst": (("SELECT", "events"), ("SELECT", "events_all"), ("SELECT", "log"), ("SELECT", "log_text")),
}
ROLES: Final = tuple(_GRANTS)


def grants(role: str, database: str) -> list[str]:
    """Return the role's grants. Each is the text between GRANT and TO, such as "SELECT, INSERT ON `audit`.events"."""
    return [
        f"{privileges} ON {place if '.' in place else f'`{database}`.{place}'}" for privileges, place in _GRANTS[role]
    ]


def script(database: str) -> str:
    """Return SQL that creates all roles, named `auditlane_…`."""
    lines = []
    for role in ROLES:
        lines.append(f"CREATE ROLE IF NOT EXISTS auditlane_{role};")
        lines += [f"GRANT {grant} TO auditlane_{role};" for grant in grants(role, database)]
    return "\n".join(lines) + "\n"
