"""The tables' cluster form, derived from the same numbered SQL: replicated engines, one Distributed table before each.

`events` and `settings` stay the local, replicated tables under the names that the worker and the queries of one server
use; `<name>_all` reads all shards. A table that is `SHARED` has every server of every shard as a replica.

Pure text: nothing here talks to ClickHouse.
"""

from __future__ import annotations

import re
from typing import Final

from auditlane.runtime.errors import ConfigError
from auditlane.store.migrate import Migration, known

# How rows are spread: one tenant on one shard, so that FINAL and a page of one tenant need only that shard.
SHARDING: Final = {"events": "cityHash64(tenant_id)", "settings": "cityHash64(scope)"}
# One replicated table for all shards: whichever of them a process talks to, a link that was opened is known.
SHARED: Final = frozenset({"link_claims"})
WINDOW_SECONDS: Final = 7 * 86_400  # tokens are also forgotten by age; a server's own default may be an hour
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (`[^`]+`)\.(\w+)")
_ENGINE = re.compile(r"\) ENGINE = (\w*MergeTree)(?:\(([^)]*)\))?")
_VIEW = re.compile(r"CREATE VIEW IF NOT EXISTS (`[^`]+`)\.(\w+)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def statements(database: str, cluster: str, migrations: list[Migration] | None = None) -> list[str]:
    """Every statement of the cluster form, in order. Raises ConfigError on a name that is none."""
    if not _NAME.fullmatch(cluster):
        raise ConfigError(f"{cluster!r} is no cluster's name.", field="--cluster", fix="See system.clusters.")
    made = [f"CREATE DATABASE IF NOT EXISTS `{database}` ON CLUSTER `{cluster}`"]
    for migration in known() if migrations is None else migrations:
        for statement in migration.statements(database):
            made += _clustered(statement, database, cluster)
    return made


def script(database: str, cluster: str) -> str:
    """The same as one file."""
    head = (
        f"-- The tables of auditlane on the cluster {cluster}; generated: auditlane init --cluster {cluster} --print\n"
    )
    return head + "".join(f"\n{one};\n" for one in statements(database, cluster))


def _clustered(statement: str, database: str, cluster: str) -> list[str]:
    on = f"ON CLUSTER `{cluster}`"
    if table := _TABLE.match(statement):
        name = table[2]
        local = _replicated(statement.replace(table[0], f"{table[0]} {on}", 1), name)
        if name in SHARED:
            return [local]
        if name not in SHARDING:
            raise ConfigError(f"The table {name} has no sharding key for its cluster form.")
        engine = f"Distributed(`{cluster}`, `{database}`, {name}, {SHARDING[name]})"
        everywhere = (
            f"CREATE TABLE IF NOT EXISTS `{database}`.{name}_all {on} AS `{database}`.{name}\nENGINE = {engine}"
        )
        return [local, everywhere]
    if view := _VIEW.match(statement):
        text = statement.replace(view[0], f"{view[0]} {on}", 1)
        return [text.replace(f"FROM `{database}`.events FINAL", f"FROM `{database}`.events_all FINAL")]
    if statement.upper().startswith("ALTER TABLE"):
        return [re.sub(r"^(ALTER TABLE (?:IF EXISTS )?\S+)", rf"\1 {on}", statement, count=1)]
    raise ConfigError(f"No cluster form is known of: {statement.splitlines()[0]}")


def _replicated(statement: str, name: str) -> str:
    """The engine replicated, under a Keeper path of its own, and the window under its replicated name."""
    engine = _ENGINE.search(statement)
    if engine is None:
        raise ConfigError(f"The table {name} has no MergeTree engine.")
    path = f"'/clickhouse/tables/{{shard}}/{{database}}/{name}', '{{replica}}'"
    if name in SHARED:
        path = f"'/clickhouse/tables/shared/{{database}}/{name}', '{{shard}}-{{replica}}'"
    arguments = ", ".join(filter(None, (path, engine[2])))
    made = statement.replace(engine[0], f") ENGINE = Replicated{engine[1]}({arguments})", 1)
    return made.replace("non_replicated_deduplication_window =", "replicated_deduplication_window =") + (
        f", replicated_deduplication_window_seconds = {WINDOW_SECONDS}"
    )
