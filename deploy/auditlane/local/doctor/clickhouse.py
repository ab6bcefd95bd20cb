"""ClickHouse: does it let us in, are the tables this release's, is the clock the same, is there room."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from clickhouse_connect.driver.client import Client

from auditlane.local.doctor.finding import Finding, fail, ok, warn
from auditlane.runtime.settings import Settings
from auditlane.store import migrate
from auditlane.store.client import connect, store_errors

PART = "clickhouse"
SKEW_WARN_S = 2.0
SKEW_FAIL_S = 60.0
WINDOW_LEAST = 1_000
ROOM_LEAST = 1 << 30
_WINDOW = re.compile(r"\b(?:non_)?replicated_deduplication_window = (\d+)")


def check(settings: Settings) -> Iterator[Finding]:
    """Every finding about ClickHouse. Raises StoreUnavailable, StoreRefused, Drift, SchemaTooNew."""
    client = connect(settings)
    try:
        yield ok(PART, f"{settings.clickhouse_url} answers, version {client.server_version}")
        yield from _clock(client)
        yield from _room(client)
        todo = migrate.plan(migrate.known(), migrate.applied(client, settings.clickhouse_database))
        if todo:
            names = ", ".join(one.name for one in todo)
            yield fail(
                PART, f"Database {settings.clickhouse_database} lacks migrations: {names}.", "Run: auditlane init"
            )
            return
        yield ok(PART, f"database {settings.clickhouse_database} has every migration of this release")
        yield from _window(client, settings.clickhouse_database)
        yield from detached(client)
    finally:
        client.close()


def _clock(client: Client) -> Iterator[Finding]:
    with store_errors():
        before = time.time()
        there = float(client.command("SELECT toFloat64(now64(3))"))  # type: ignore[arg-type]
        after = time.time()
    yield judge_clock(there, before, after)


def judge_clock(there: float, before: float, after: float) -> Finding:
    """Seconds since 1970: the server's time was asked for between our `before` and `after`."""
    skew = max(before - there, there - after, 0.0)
    message = f"its clock differs from this machine's by {skew:.1f} s"
    fix = "Let both synchronise (NTP); events in the future by more than a day would be refused."
    if skew >= SKEW_FAIL_S:
        return fail(PART, message, fix)
    return warn(PART, message, fix) if skew >= SKEW_WARN_S else ok(PART, "its clock agrees with this machine's")


def _room(client: Client) -> Iterator[Finding]:
    with store_errors():
        rows = client.query("SELECT name, free_space FROM system.disks WHERE total_space > 0").result_rows
    for name, free in rows:
        if int(free) < ROOM_LEAST:
            yield warn(PART, f"Disk {name} has {int(free) >> 20} MB left.", "Free some space; inserts fail without.")


def detached(client: Client) -> Iterator[Finding]:
    """What ClickHouse set aside because it could not be read, a finding a table. Raises StoreRefused."""
    with store_errors():
        rows = client.query(
            "SELECT database, table, count(), sum(bytes_on_disk) FROM system.detached_parts "
            "WHERE startsWith(reason, 'broken') GROUP BY database, table ORDER BY database, table"
        ).result_rows
    for database, table, parts, size in rows:
        yield judge_detached(str(database), str(table), int(parts), int(size))


def judge_detached(database: str, table: str, parts: int, size: int) -> Finding:
    """Of a table whose parts were set aside; `size` in bytes."""
    return fail(
        PART,
        f"ClickHouse set {parts} broken part{'' if parts == 1 else 's'} of {database}.{table} aside ({size:,} bytes):"
        " the rows in it are not read.",
        "Run auditlane verify. For what it finds missing: auditlane replay. Then ALTER TABLE … DROP DETACHED PART.",
    )


def _window(client: Client, database: str) -> Iterator[Finding]:
    with store_errors():
        text = client.query(
            "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = 'events'",
            parameters={"database": database},
        ).result_rows
    yield judge_window(str(text[0][0]) if text else "")


def judge_window(engine: str) -> Finding:
    """From the table's engine clause. A replicated table remembers 1,000 or more inserts unless told otherwise."""
    found = _WINDOW.search(engine)
    size = int(found[1]) if found else 10_000 if engine.startswith("Replicated") else 0
    if size >= WINDOW_LEAST:
        return ok(PART, f"table events remembers the tokens of {size:,} inserts")
    return fail(
        PART,
        f"Table events remembers the tokens of {size:,} inserts: events sent twice could be stored twice.",
        "ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 10000",
    )
