"""Tests the tables on the real engine: migrations, what the view guarantees, and revisions of settings."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

import pytest

from auditlane.runtime import settings as settings_
from auditlane.runtime.errors import Conflict, SchemaTooNew, StoreRefused
from auditlane.server.probes import StoreProbe
from auditlane.store import migrate, presentation
from auditlane.store.client import connect, store_errors
from auditlane.store.service_versions import last_started_version


@pytest.fixture
def client(clickhouse: str) -> Any:
    return connect(settings_.load(clickhouse_url=clickhouse))


def test_concurrent_and_repeated_migrations(client: Any, clickhouse: str, unique: str) -> None:
    def migrate_once(_: int) -> list[str]:
        return migrate.migrate(connect(settings_.load(clickhouse_url=clickhouse)), unique)

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(migrate_once, range(6)))
    assert any(results)
    assert migrate.migrate(client, unique) == []
    assert set(migrate.applied(client, unique)) == {one.version for one in migrate.known()}
    tables = client.query(f"SHOW TABLES FROM {unique}").result_rows
    assert {name for (name,) in tables} == {
        "events",
        "leases",
        "link_claims",
        "log",
        "log_text",
        "migrations",
        "observations",
        "settings",
    }


def test_every_column_and_view_has_a_comment(client: Any, unique: str) -> None:
    migrate.migrate(client, unique)
    columns = client.query(f"SELECT table, name, comment FROM system.columns WHERE database = '{unique}'").result_rows
    assert {"events", "log", "log_text", "migrations"} < {table for table, _, _ in columns}
    assert [f"{table}.{name}" for table, name, comment in columns if not comment] == []
    views = client.query(
        f"SELECT name, comment FROM system.tables WHERE database = '{unique}' AND engine = 'View'"
    ).result_rows
    assert {name for name, comment in views if comment} == {"log", "log_text"}


def test_a_newer_store_is_refused(client: Any, unique: str) -> None:
    migrate.migrate(client, unique)
    client.insert(
        "migrations", [[99, "0099_x.sql", "x"]], column_names=["version", "name", "checksum"], database=unique
    )
    with pytest.raises(SchemaTooNew):
        migrate.migrate(client, unique)


def test_an_error_of_the_store_is_reported_in_one_line(client: Any) -> None:
    with pytest.raises(StoreRefused, match="ClickHouse refused") as caught, store_errors():
        client.query("SELECT nothing_such FROM system.one")
    assert "\n" not in str(caught.value)


COLUMNS = [
    "tenant_id", "occurred_at", "event_id", "action", "actor_id", "actor_type", "resource", "outcome", "severity",
    "source", "schema_id", "ingested_at", "kafka_topic", "kafka_topic_id", "kafka_partition", "kafka_offset",
    "kafka_timestamp",
]  # fmt: skip
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _row(event_id: Any, action: str, tenant: str = "t1", *, partition: int = 0, offset: int = 0, at_ms: int = 0) -> Any:
    kafka = NOW + timedelta(milliseconds=at_ms)
    event = [tenant, NOW, event_id, action, "", "user", "", "unknown", "Info", ""]
    return [*event, 1, NOW, "x", uuid4(), partition, offset, kafka]


@pytest.mark.parametrize("merged", [False, True])
def test_readers_see_an_event_once_and_the_first_to_reach_kafka_wins(client: Any, unique: str, merged: bool) -> None:
    migrate.migrate(client, unique)
    twice, shared = uuid4(), uuid4()
    blocks = [
        [_row(twice, "a", partition=1, offset=1, at_ms=2), _row(shared, "other tenant's", "t2", offset=3, at_ms=9)],
        [_row(twice, "a", partition=3, offset=7_000_000, at_ms=1)],
        [_row(twice, "a", partition=3, offset=7_000_001, at_ms=1), _row(shared, "own", offset=4, at_ms=8)],
    ]
    for block in blocks:
        client.insert("events", block, column_names=COLUMNS, database=unique)
    if merged:
        client.command(f"OPTIMIZE TABLE {unique}.events FINAL")
    seen = client.query(f"SELECT tenant_id, action, kafka_offset FROM {unique}.log ORDER BY tenant_id, action")
    assert seen.result_rows == [("t1", "a", 7_000_000), ("t1", "own", 4), ("t2", "other tenant's", 3)]


@pytest.mark.parametrize("merged", [False, True])
def test_events_of_one_id_and_time_with_different_contents_are_all_kept(client: Any, unique: str, merged: bool) -> None:
    migrate.migrate(client, unique)
    shared = uuid4()
    for offset, action in enumerate(["harmless", "StopLogging", "harmless"]):
        client.insert("events", [_row(shared, action, offset=offset)], column_names=COLUMNS, database=unique)
    if merged:
        client.command(f"OPTIMIZE TABLE {unique}.events FINAL")
    seen = client.query(f"SELECT action, kafka_offset FROM {unique}.log ORDER BY action").result_rows
    assert seen == [("StopLogging", 1), ("harmless", 0)]


def test_one_of_many_concurrent_saves_of_a_revision_wins(client: Any, clickhouse: str, unique: str) -> None:
    migrate.migrate(client, unique)
    seen = presentation.load(client, unique, presentation.ENVIRONMENT)
    assert seen.revision == 0

    def save(who: int) -> str:
        new = seen.model_copy(update={"enabled": False, "changed_by": str(who)})
        try:
            mine = connect(settings_.load(clickhouse_url=clickhouse))
            return presentation.save(mine, unique, seen, new, now=NOW).changed_by
        except Conflict:
            return ""

    with ThreadPoolExecutor(8) as pool:
        winners = [one for one in pool.map(save, range(8)) if one]
    saved = presentation.load(client, unique, presentation.ENVIRONMENT)
    assert winners == [saved.changed_by]
    assert (saved.revision, saved.enabled) == (1, False)
    assert presentation.load(client, unique, presentation.tenant_scope("a")).revision == 0


@pytest.mark.parametrize("table", ["events", "log"])
def test_the_version_of_a_services_last_start_is_found(
    client: Any, unique: str, table: Literal["events", "log"]
) -> None:
    migrate.migrate(client, unique)
    starts = [
        ("_auditlane", 1, "worker", "service.started", "auditlane", "1.0.0"),
        ("_auditlane", 2, "worker", "service.started", "auditlane", "1.1.0"),
        ("_auditlane", 3, "worker", "service.stopped", "auditlane", "9.0.0"),
        ("_auditlane", 3, "serve", "service.started", "auditlane", "9.0.0"),
        ("acme", 3, "worker", "service.started", "", "9.0.0"),
        ("_auditlane", 4, "worker", "service.started", "auditlane", "1.2.0"),
    ]
    rows = [
        [tenant, NOW + timedelta(hours=hour), uuid4(), action, service, source, {"version": version}]
        for tenant, hour, service, action, source, version in starts
    ]
    columns = ["tenant_id", "occurred_at", "event_id", "action", "resource_id", "source", "metadata"]
    client.insert("events", rows, column_names=columns, database=unique)

    def last(service: str, hour: int) -> str | None:
        return last_started_version(client, unique, service, before=NOW + timedelta(hours=hour), table=table)

    assert [last("worker", hour) for hour in range(1, 6)] == [None, "1.0.0", "1.1.0", "1.1.0", "1.2.0"]
    assert last("serve", 5) == "9.0.0"


def test_a_service_that_started_without_tables_is_ready_once_they_exist(
    client: Any, clickhouse: str, unique: str
) -> None:
    probe = StoreProbe(lambda: connect(settings_.load(clickhouse_url=clickhouse)), unique)
    with closing(probe):
        before = probe.part()
        assert (before.state, before.fix) == ("away", "Run `auditlane init`.")
        migrate.migrate(client, unique)
        assert probe.part().state == "up"
