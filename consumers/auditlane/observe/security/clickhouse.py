"""Findings about ClickHouse's accounts, grants, row policies and replication. Performs no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from auditlane.observe.security.findings import Finding, Rule, Severity
from auditlane.observe.security.privileges import Privilege, excess
from auditlane.store.roles import ROLES

_SHOWN: Final = 6
_LOGS: Final = ("events", "events_all", "log", "log_text")
_ALWAYS_TRUE: Final = ("1", "true", "")
_SLOW_S: Final = 300
PREFIX: Final = "auditlane_"

DEFAULT_OPEN: Final = Rule(
    "clickhouse-default-open",
    Severity.critical,
    "Everyone who reaches ClickHouse can use the account, which usually may do everything.",
    "Give the user default a password, or restrict it to the addresses of administrators.",
)
NO_PASSWORD: Final = Rule(
    "clickhouse-user-without-password",
    Severity.critical,
    "Everyone who reaches ClickHouse can use the account.",
    "Run: ALTER USER … IDENTIFIED BY …, or drop the user.",
)
ACCOUNT_TOO_BROAD: Final = Rule(
    "clickhouse-account-too-broad",
    Severity.high,
    "A process that is taken over can do everything that its account may do.",
    "Grant the account only its role, as in docs/operate/cluster.md, and revoke the rest.",
)
ROLE_TOO_BROAD: Final = Rule(
    "clickhouse-role-too-broad",
    Severity.high,
    "A process that is taken over can do everything that its account and its role may do.",
    "Run REVOKE for each of these privileges.",
)
OTHER_READERS: Final = Rule(
    "clickhouse-other-readers",
    Severity.low,
    "These accounts read every tenant's log, and auditlane does not record it.",
    "Revoke SELECT, or create a row policy on the table events for each account.",
)
ROWS_HIDDEN: Final = Rule(
    "clickhouse-rows-hidden",
    Severity.high,
    "A worker that does not see every row may store events twice, and readers miss events.",
    "Exclude auditlane's accounts from the policy, or add a permissive one for them: USING 1.",
)
NOT_REPLICATED: Final = Rule(
    "clickhouse-not-replicated",
    Severity.high,
    "The loss of one server loses the events that are on it.",
    "Create the tables with auditlane init --cluster, and store the events with auditlane replay.",
)
READ_ONLY: Final = Rule(
    "clickhouse-replica-read-only",
    Severity.high,
    "The replica accepts no events, and lacks those that other replicas have received.",
    "Check its connection to Keeper, then run SYSTEM RESTART REPLICA, or SYSTEM RESTORE REPLICA.",
)
FEW_REPLICAS: Final = Rule(
    "clickhouse-replicas-missing",
    Severity.medium,
    "With fewer active replicas, the loss of another one stops inserts or loses events.",
    "Start the missing replicas, or add a replica; three are recommended.",
)
REPLICA_LATE: Final = Rule(
    "clickhouse-replica-late",
    Severity.medium,
    "Readers of this replica do not see the newest events.",
    "Check the replica's queue in system.replication_queue.",
)
ONE_COPY: Final = Rule(
    "clickhouse-one-copy",
    Severity.info,
    "The loss of this server's disk loses the log, except for events that Kafka still keeps.",
    "Make backups, or create the tables on a cluster.",
)


@dataclass(frozen=True, slots=True)
class RowPolicy:
    """The table and filter of a row policy. It applies to `accounts`, or to all accounts except `exempt`."""

    name: str
    table: str
    condition: str
    to_all: bool = False
    accounts: frozenset[str] = frozenset()
    exempt: frozenset[str] = frozenset()

    def applies_to(self, account: str) -> bool:
        """Return whether the policy filters the rows of this user or role."""
        return account not in self.exempt if self.to_all else account in self.accounts


@dataclass(frozen=True, slots=True)
class Access:
    """Who may access the database: users without a password, the privileges of every user and role, and row policies.

    A user's privileges do not include those of the user's roles. `roles` maps each user to these roles.
    """

    without_password: tuple[str, ...] = ()
    privileges: Mapping[str, Sequence[Privilege]] = field(default_factory=dict)
    policies: tuple[RowPolicy, ...] = ()
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replica:
    """A replicated table on this server. It lags by `late_s` seconds."""

    table: str
    read_only: bool
    total: int
    active: int
    late_s: int


@dataclass(frozen=True, slots=True)
class Tables:
    """The engines of the database's tables, the size of its largest cluster, and its replicated tables."""

    engines: Mapping[str, str]
    servers: int
    replicas: tuple[Replica, ...] = ()


def own_grants(
    have: Sequence[Privilege], *, user: str, role: str, database: str, groups: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield a finding if the ClickHouse account in the settings has more privileges than its role needs."""
    if surplus := excess(have, role=role, database=database, groups=groups):
        yield ACCOUNT_TOO_BROAD.found(f"The user {user} may do more than the role {role} needs: {_listed(surplus)}.")


def no_password(access: Access) -> Iterator[Finding]:
    """Yield a finding for each user without a password."""
    for user in access.without_password:
        yield NO_PASSWORD.found(f"The user {user} has no password.")


def role_grants(access: Access, *, database: str, user: str, groups: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding for each of auditlane's accounts that has more privileges than `store.roles` grants to its role.

    On a cluster, these accounts are the roles `auditlane_…` and their users. In the embedded ClickHouse, they are the
    users that are named like a role. `user` is the account in the settings, which `own_grants` checks.
    """
    own = {name: [role] for role in ROLES for name in (PREFIX + role, role)}
    of_users = {name: _our_roles(roles) for name, roles in access.roles.items()}
    for account, roles in {**of_users, **own}.items():
        if account == user or not roles:
            continue
        have = access.privileges.get(account, ())
        surplus = [
            privilege
            for privilege in have
            if all(excess([privilege], role=role, database=database, groups=groups) for role in roles)
        ]
        if surplus:
            yield ROLE_TOO_BROAD.found(f"{account} has surplus privileges: {_listed(surplus)}.")


def _our_roles(roles: Iterable[str]) -> list[str]:
    """Return the roles of a user that are defined in `store.roles`."""
    return [role for role in ROLES if PREFIX + role in set(roles)]


def row_policies(access: Access, *, database: str, user: str) -> Iterator[Finding]:
    """Yield findings about policies that hide rows from auditlane, and accounts that can read every tenant's rows.

    `user` is the account in the settings.
    """
    ours = {user, *ROLES, *(PREFIX + role for role in ROLES)}
    ours |= {name for name, roles in access.roles.items() if _our_roles(roles)}
    for policy in access.policies:
        hidden_from = sorted(account for account in ours & set(access.privileges) if policy.applies_to(account))
        if hidden_from and policy.condition.strip().lower() not in _ALWAYS_TRUE:
            yield ROWS_HIDDEN.found(
                f"The row policy {policy.name} filters {policy.table} for {', '.join(hidden_from)}."
            )
    readers = [
        account
        for account, privileges in sorted(access.privileges.items())
        if account not in ours
        and any(_reads(privilege, database) for privilege in privileges)
        and not any(policy.table in _LOGS and policy.applies_to(account) for policy in access.policies)
    ]
    if readers:
        yield OTHER_READERS.found(f"{', '.join(readers)} may read {database}.events without a row policy.")


def _reads(privilege: Privilege, database: str) -> bool:
    places = ("*.*", f"{database}.*", *(f"{database}.{table}" for table in _LOGS))
    return privilege.name in ("SELECT", "ALL", "ALL PRIVILEGES") and privilege.place in places


def replication(tables: Tables) -> Iterator[Finding]:
    """Yield findings about tables whose replicas are missing, too few, or behind."""
    engine = tables.engines.get("events", "")
    if not engine.startswith("Replicated"):
        if "events_all" in tables.engines or tables.servers > 1:
            yield NOT_REPLICATED.found(f"The table events has the engine {engine.partition('(')[0]} on a cluster.")
        else:
            yield ONE_COPY.found("The tables are on one server, without a replica.")
    for replica in tables.replicas:
        if replica.read_only:
            yield READ_ONLY.found(f"The replica of {replica.table} on this server is read-only.")
        if replica.active < max(replica.total, 2):
            yield FEW_REPLICAS.found(f"{replica.table} has {replica.active} active of {replica.total} replicas.")
        if replica.late_s > _SLOW_S:
            yield REPLICA_LATE.found(f"The replica of {replica.table} on this server is {replica.late_s} s behind.")


def _listed(privileges: Iterable[Privilege]) -> str:
    names = list(dict.fromkeys(map(str, privileges)))
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
