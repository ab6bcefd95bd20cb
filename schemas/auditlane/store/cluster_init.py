"""Bring one server of a cluster to this version's form: make what it lacks, change what it has, record what was done.

It uses no ON CLUSTER, which waits for servers that are away. Columns of a replicated table are changed through any of
its replicas; what is not replicated (Distributed tables, views, settings) is brought to its final form on the server
that is asked. So it may run against each server, in any order, any number of times.
"""

from __future__ import annotations

import re

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from auditlane.runtime.errors import ConfigError
from auditlane.store.client import store_errors
from auditlane.store.cluster import LOCAL, SHARDING, SHARED, statements
from auditlane.store.migrate import Migration, applied, known, plan, record, run

_DISTRIBUTED = re.compile(r"Distributed\('?`?([A-Za-z0-9_-]+)")
_FIX_NAME = "Run `auditlane init --cluster NAME`, a cluster of system.clusters."
_SETTING = " MODIFY SETTING "  # each replica has its own
_REPLICATED = SHARDING.keys() | SHARED | LOCAL


def cluster_of(client: Client, database: str) -> str:
    """The cluster whose form the database's tables have on this server; empty where they are those of one server.

    Raises ConfigError when they are to be those of a cluster, and nothing says of which.
    """
    engines = _engines(client, database)
    if found := _DISTRIBUTED.match(engines.get("events_all", "")):
        return found[1]
    if engines.get("events", "").startswith("Replicated"):
        raise ConfigError(
            f"{database}.events is replicated, and this server has no {database}.events_all that names its cluster.",
            fix=_FIX_NAME,
        )
    if "events" not in engines and _replicated_elsewhere(client, database):
        raise ConfigError(
            f"This server lacks the tables of {database} that other replicas of its shard have.", fix=_FIX_NAME
        )
    return ""


def _replicated_elsewhere(client: Client, database: str) -> bool:
    """Whether Keeper knows `events` as a table of this server's shard."""
    with store_errors():
        shard = client.query("SELECT substitution FROM system.macros WHERE macro = 'shard'").result_rows
        if not shard:
            return False
        try:
            found = client.query(
                "SELECT 1 FROM system.zookeeper WHERE path = {path:String} AND name = 'events'",
                parameters={"path": f"/clickhouse/tables/{shard[0][0]}/{database}"},
            ).result_rows
        except DatabaseError:  # there is no Keeper, or nothing at that path
            return False
    return bool(found)


def migrate(client: Client, database: str, cluster: str) -> list[str]:
    """Make the cluster form's tables on this server where they are missing, bring the shard's to this version, and
    return the names of the migrations that were applied. Raises ConfigError, Drift, SchemaTooNew."""
    form = statements(database, cluster, one_server=True)
    engines = _engines(client, database)
    if engines.get("events") and not engines["events"].startswith("Replicated"):
        raise ConfigError(
            f"{database}.events on this server has the engine {engines['events'].partition('(')[0]}: it is the table "
            "of one server.",
            field="--cluster",
            fix="Choose another database for the cluster: AUDITLANE_CLICKHOUSE_DATABASE.",
        )
    for statement in form[:2]:  # the database, and the record of what was applied
        run(client, statement)
    done = applied(client, database)
    todo = plan(known(), done)
    if done and todo and "events" not in engines:
        raise ConfigError(
            f"This server lacks the tables, and those of its shard are at version {max(done)}.",
            fix="Run `auditlane init` against a server that has them, then here again.",
        )
    for statement in form[2:]:
        run(client, statement)
    for migration in known():
        for statement in changes(migration, database):
            if migration in todo or _SETTING in statement:
                run(client, statement)
        if migration in todo:
            record(client, database, migration)
    for statement in _made_anew(client, database, form):
        run(client, statement)
    return [migration.name for migration in todo]


def changes(migration: Migration, database: str) -> list[str]:
    """What of a migration changes a replicated table that exists. Each statement may run again."""
    targets = tuple(f"ALTER TABLE `{database}`.{name} " for name in sorted(_REPLICATED))
    return [
        one.replace("non_replicated_deduplication_window", "replicated_deduplication_window")
        for one in migration.statements(database)
        if one.startswith(targets)
    ]


def _made_anew(client: Client, database: str, form: list[str]) -> list[str]:
    """What brings that which is not replicated to its final form: it has no rows of its own."""
    made: list[str] = []
    for name in SHARDING:
        if _columns(client, database, f"{name}_all") != _columns(client, database, name):
            [everywhere] = [one for one in form if f"`{database}`.{name}_all AS " in one]
            made.append(f"SYSTEM FLUSH DISTRIBUTED `{database}`.{name}_all")  # what others inserted through it
            made.append(everywhere.replace("TABLE IF NOT EXISTS", "OR REPLACE TABLE", 1))
    made += [one.replace("VIEW IF NOT EXISTS", "OR REPLACE VIEW", 1) for one in form if one.startswith("CREATE VIEW")]
    return made


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
