"""Checks ClickHouse's access, grants, clock, disk space, migrations, partitions, deduplication window and broken
parts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Final

from clickhouse_connect.driver.client import Client

from auditlane.local.doctor.access import Component, grant_findings
from auditlane.local.doctor.finding import Finding, fail, ok, warn
from auditlane.runtime.errors import StoreRefused
from auditlane.runtime.settings import Settings, variable
from auditlane.store import migrate, roles
from auditlane.store.client import connect, store_errors
from auditlane.store.partitioning import Partitioning, configured

PART = "clickhouse"
SKEW_WARN_S = 2.0
SKEW_FAIL_S = 60.0
WINDOW_LEAST = 1_000
ROOM_LEAST = 1 << 30
MERGED_BYTES: Final = 161_061_273_600  # default of max_bytes_to_merge_at_max_space_in_pool
_OF_A_DATABASE: Final = {
    "ALTER": ("ALTER TABLE", "ALTER VIEW"),
    "CREATE": ("CREATE DATABASE", "CREATE TABLE", "CREATE VIEW"),
    "DROP": ("DROP TABLE", "DROP VIEW"),
}
_WINDOW = re.compile(r"\b(?:non_)?replicated_deduplication_window = (\d+)")


def check(settings: Settings, component: Component = Component.INIT) -> Iterator[Finding]:
    """Yield every finding about ClickHouse, as far as the account of `component` can see.

    Raises StoreUnavailable, StoreRefused, Drift or SchemaTooNew.
    """
    client = connect(settings)
    try:
        yield ok(PART, f"{settings.clickhouse_url} responds, version {client.server_version}")
        yield from _clock(client)
        yield from _grants(client, settings, component)
        if component is not Component.WORKER:  # its account may not see system.disks
            yield from _room(client)
        todo = migrate.plan(migrate.known(), migrate.applied(client, settings.clickhouse_database))
        if todo:
            names = ", ".join(migration.name for migration in todo)
            yield fail(
                PART, f"Database {settings.clickhouse_database} is missing migrations: {names}.", "Run: auditlane init"
            )
            return
        yield ok(PART, f"database {settings.clickhouse_database} has every migration of this release")
        yield from _partitions(client, settings, component)
        yield from _window(client, settings.clickhouse_database)
        if component is Component.INIT:
            yield from detached(client)
    finally:
        client.close()


def _grants(client: Client, settings: Settings, component: Component) -> Iterator[Finding]:
    """Ask the server for each grant, so that roles and inherited privileges are taken into account."""
    database, role = settings.clickhouse_database, component.clickhouse_role

    def held(grant: str) -> bool:
        return bool(int(client.command(f"CHECK GRANT {grant}")))  # type: ignore[arg-type]

    try:
        with store_errors():
            missing = [one for one in single_grants(role, database) if not held(one)]
            # The account of `init` has other components' grants as well.
            others = [other for other in roles.ROLES if missing and component is not Component.INIT and other != role]
            other = next((other for other in others if all(map(held, single_grants(other, database)))), "")
    except StoreRefused as error:
        yield warn(PART, f"The grants cannot be checked: {error.message}", "ClickHouse 24.11 or later can check them.")
        return
    yield from grant_findings(component, settings.clickhouse_user, missing, other)


def single_grants(role: str, database: str) -> list[str]:
    """Return a role's grants, one for each privilege, such as "INSERT ON `audit`.events".

    A group such as CREATE has privileges that no database can grant, so it is replaced by those that a database can.
    """
    found = []
    for grant in roles.grants(role, database):
        privileges, _, place = grant.rpartition(" ON ")
        for privilege in privileges.split(", "):
            found += [f"{one} ON {place}" for one in _OF_A_DATABASE.get(privilege, (privilege,))]
    return found


def _clock(client: Client) -> Iterator[Finding]:
    with store_errors():
        before = time.time()
        there = float(client.command("SELECT toFloat64(now64(3))"))  # type: ignore[arg-type]
        after = time.time()
    yield clock_finding(there, before, after)


def clock_finding(there: float, before: float, after: float) -> Finding:
    """Compare the clocks, in seconds since 1970. The server's time, `there`, was read between `before` and `after`."""
    skew = max(before - there, there - after, 0.0)
    message = f"its clock differs from this machine's by {skew:.1f} s"
    fix = "Synchronize both clocks with NTP: events more than a day in the future are rejected."
    if skew >= SKEW_FAIL_S:
        return fail(PART, message, fix)
    return warn(PART, message, fix) if skew >= SKEW_WARN_S else ok(PART, "its clock agrees with this machine's")


def _room(client: Client) -> Iterator[Finding]:
    with store_errors():
        rows = client.query("SELECT name, free_space FROM system.disks WHERE total_space > 0").result_rows
    for name, free in rows:
        if int(free) < ROOM_LEAST:
            yield warn(
                PART, f"Disk {name} has {int(free) >> 20} MB left.", "Free disk space; without it, inserts fail."
            )


def detached(client: Client) -> Iterator[Finding]:
    """Yield a finding for each table with detached broken parts. Raises StoreRefused."""
    with store_errors():
        rows = client.query(
            "SELECT database, table, count(), sum(bytes_on_disk) FROM system.detached_parts "
            "WHERE startsWith(reason, 'broken') GROUP BY database, table ORDER BY database, table"
        ).result_rows
    for database, table, parts, size in rows:
        yield detached_finding(str(database), str(table), int(parts), int(size))


def detached_finding(database: str, table: str, parts: int, size: int) -> Finding:
    """Return the finding about a table's detached broken parts. `size` is in bytes."""
    them = "it" if parts == 1 else "them"
    return fail(
        PART,
        f"ClickHouse detached {parts} broken part{'' if parts == 1 else 's'} of {database}.{table} ({size:,} bytes):"
        f" the rows in {them} are not readable.",
        "Run auditlane verify, store missing messages with auditlane replay, then ALTER TABLE … DROP DETACHED PART.",
    )


def _partitions(client: Client, settings: Settings, component: Component) -> Iterator[Finding]:
    key = migrate.partition_key(client, settings.clickhouse_database) or ""
    largest = 0
    if component is Component.INIT:  # the other accounts may not see system.parts
        with store_errors():
            sizes = client.query(
                "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = {database:String} "
                "AND table = 'events' GROUP BY partition ORDER BY 1 DESC LIMIT 1",
                parameters={"database": settings.clickhouse_database},
            ).result_rows
        largest = int(sizes[0][0]) if sizes else 0
    yield partitions_finding(key, configured(settings), largest)


def partitions_finding(key: str, wanted: Partitioning | None, largest: int) -> Finding:
    """Check the partition key of the table `events` against the settings. `largest` is the size of its largest
    partition, in bytes.
    """
    found = Partitioning.of(key)
    if found is None:
        return fail(
            PART,
            f"Table events is partitioned by {key or 'nothing'}: workers do not start.",
            "Rebuild it with partitions by month or day, as described in Replay and verify.",
        )
    if wanted is not None and wanted is not found:
        return fail(
            PART,
            f"Table events has one partition for each {found}, but {variable('clickhouse_partitions')} is {wanted}.",
            f"Set it to {found} for every process.",
        )
    if found is Partitioning.MONTH and largest > MERGED_BYTES:
        return warn(
            PART,
            f"A month of table events has {largest / 1e9:,.0f} GB; ClickHouse merges at most 150 GB into one part, so "
            "queries that need FINAL stay slow.",
            "Rebuild the table with partitions by day, as described in Replay and verify, or let tenants filter by "
            "time.",
        )
    return ok(PART, f"table events has one partition for each {found}")


def _window(client: Client, database: str) -> Iterator[Finding]:
    with store_errors():
        text = client.query(
            "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = 'events'",
            parameters={"database": database},
        ).result_rows
    yield window_finding(str(text[0][0]) if text else "")


def window_finding(engine: str) -> Finding:
    """Check the deduplication window in the table's engine clause. Replicated tables default to at least 1,000."""
    found = _WINDOW.search(engine)
    size = int(found[1]) if found else 10_000 if engine.startswith("Replicated") else 0
    if size >= WINDOW_LEAST:
        return ok(PART, f"table events keeps the deduplication tokens of {size:,} inserts")
    return fail(
        PART,
        f"Table events keeps the deduplication tokens of {size:,} inserts: a retried insert could be stored twice.",
        "Run: ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 10000",
    )
