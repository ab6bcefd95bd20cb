"""Migrates one server of a cluster to this version: creates missing tables, changes existing ones, and records the
migrations.

It does not use ON CLUSTER, which waits for unavailable servers. Columns of a replicated table are changed through any
of its replicas. Objects that are not replicated (Distributed tables, views, settings) get their final form on the
connected server. It may therefore run against each server, in any order, any number of times.
"""

from __future__ import annotations

import re

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from auditlane.runtime.errors import ConfigError
from auditlane.store.client import store_errors
from auditlane.store.cluster import LOCAL, SHARDING, SHARED, statements
from auditlane.store.migrate import Migration, applied, known, partition_key, plan, record, run
from auditlane.store.partitioning import Partitioning, resolve

_DISTRIBUTED = re.compile(r"Distributed\('?`?([A-Za-z0-9_-]+)")
_FIX_NAME = "Run `auditlane init --cluster NAME` with a name from system.clusters."
_KEY = re.compile(r"^partition key: (.*)$", re.MULTILINE)
_SETTING = " MODIFY SETTING "  # each replica has its own settings
_REPLICATED = SHARDING.keys() | SHARED | LOCAL


def cluster_of(client: Client, database: str) -> str:
    """Return the cluster of the database's tables, or "" for a single server.

    Raises ConfigError if they belong to a cluster whose name cannot be determined.
    """
    engines = _engines(client, database)
    if found := _DISTRIBUTED.match(engines.get("events_all", "")):
        return found[1]
    if engines.get("events", "").startswith("Replicated"):
        raise ConfigError(
            f"{database}.events is replicated, but this server has no {database}.events_all with the cluster's name.",
            fix=_FIX_NAME,
        )
    if "events" not in engines and _replicated_elsewhere(client, database):
        raise ConfigError(
            f"This server lacks the tables of {database} that other replicas of its shard have.", fix=_FIX_NAME
        )
    return ""


def _replicated_elsewhere(client: Client, database: str) -> bool:
    """Return whether Keeper already has the table `events` for this server's shard."""
    with store_errors():
        shard = client.query("SELECT substitution FROM system.macros WHERE macro = 'shard'").result_rows
        if not shard:
            return False
        try:
            found = client.query(
                "SELECT 1 FROM system.zookeeper WHERE path = {path:String} AND name = 'events'",
                parameters={"path": f"/clickhouse/tables/{shard[0][0]}/{database}"},
            ).result_rows
        except DatabaseError:  # no Keeper, or nothing at that path
            return False
    return bool(found)


def _partition_key(client: Client, database: str) -> str | None:
    """Return the partition key of this server's table `events`, or of the one that Keeper has for any shard."""
    found = partition_key(client, database)
    if found is not None:
        return found
    with store_errors():
        try:
            shards = client.query("SELECT name FROM system.zookeeper WHERE path = '/clickhouse/tables'").result_rows
        except DatabaseError:  # no Keeper, or no table yet
            return None
        for [shard] in shards:
            path = f"/clickhouse/tables/{shard}/{database}/events"
            try:
                metadata = client.query(
                    "SELECT value FROM system.zookeeper WHERE path = {path:String} AND name = 'metadata'",
                    parameters={"path": path},
                ).result_rows
            except DatabaseError:  # the shard has no such table
                continue
            if metadata and (key := _KEY.search(str(metadata[0][0]))):
                return key[1]
    return None


def migrate(client: Client, database: str, cluster: str, partitions: Partitioning | None = None) -> list[str]:
    """Create the cluster form's missing tables on this server, and migrate its shard's tables to this version.

    `partitions` is the operator's choice for `events`; by default, the table gets the partitions that it has on other
    servers, or one for each month. Returns the names of the applied migrations. Raises ConfigError, Drift or
    SchemaTooNew.
    """
    partitioning = resolve(f"{database}.events", _partition_key(client, database), partitions)
    form = statements(database, cluster, one_server=True, partitioning=partitioning)
    engines = _engines(client, database)
    if engines.get("events") and not engines["events"].startswith("Replicated"):
        raise ConfigError(
            f"{database}.events on this server has the engine {engines['events'].partition('(')[0]}, which is for "
            "a single server.",
            field="--cluster",
            fix="Set AUDITLANE_CLICKHOUSE_DATABASE to another database for the cluster.",
        )
    for statement in form[:2]:  # the database, and the record of applied migrations
        run(client, statement)
    done = applied(client, database)
    todo = plan(known(), done)
    if done and todo and "events" not in engines:
        raise ConfigError(
            f"This server lacks the tables, while its shard's tables are at version {max(done)}.",
            fix="Run `auditlane init` against a server that has them, then against this one again.",
        )
    for statement in form[2:]:
        run(client, statement)
    for migration in known():
        for statement in changes(migration, database):
            if migration in todo or _SETTING in statement:
                run(client, statement)
        if migration in todo:
            record(client, database, migration)
    for statement in _recreate(client, database, form):
        run(client, statement)
    return [migration.name for migration in todo]


def changes(migration: Migration, database: str) -> list[str]:
    """Return the migration's statements that change an existing replicated table, each of them idempotent."""
    targets = tuple(f"ALTER TABLE `{database}`.{name} " for name in sorted(_REPLICATED))
    return [
        statement.replace("non_replicated_deduplication_window", "replicated_deduplication_window")
        for statement in migration.statements(database)
        if statement.startswith(targets)
    ]


def _recreate(client: Client, database: str, form: list[str]) -> list[str]:
    """Return statements that recreate Distributed tables and views, which store no rows themselves, in their final
    form.
    """
    result: list[str] = []
    for name in SHARDING:
        if _columns(client, database, f"{name}_all") != _columns(client, database, name):
            [distributed] = [statement for statement in form if f"`{database}`.{name}_all AS " in statement]
            result.append(f"SYSTEM FLUSH DISTRIBUTED `{database}`.{name}_all")  # rows that others inserted through it
            result.append(distributed.replace("TABLE IF NOT EXISTS", "OR REPLACE TABLE", 1))
    views = [statement for statement in form if statement.startswith("CREATE VIEW")]
    return result + [view.replace("VIEW IF NOT EXISTS", "OR REPLACE VIEW", 1) for view in views]


def _engines(client: Client, database: str) -> dict[str, str]:
    with store_errors():
        rows = client.query(
            "SELECT name, engine_full FROM system.tables WHERE database = {database:String}",
            parameters={"database": database},
        ).result_rows
    return {str(name): str(engine) for name, engine in rows}


def _columns(client: Client, database: str, table: str) -> list[tuple[object, ...]]:
    with store_errors():
        rows = client.query(
            "SELECT name, type, default_kind, default_expression FROM system.columns "
            "WHERE database = {database:String} AND table = {table:String} ORDER BY position",
            parameters={"database": database, "table": table},
        ).result_rows
    return list(map(tuple, rows))
