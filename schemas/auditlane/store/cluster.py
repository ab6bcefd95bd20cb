"""The tables' form on a cluster, derived from the same numbered SQL: engines are replicated, and each table has a
Distributed table.

`events` and `settings` are still the local, replicated tables, with the names used by the worker and by queries on one
server. `<name>_all` reads all shards. A table in `SHARED` has every server of every shard as a replica. Each shard has
its own copy of a table in `LOCAL`, which is never read through another shard.

It is the final state, one CREATE per table, so that a replica that joins later can run it. Pure: nothing here connects
to ClickHouse.
"""

from __future__ import annotations

import re
from typing import Final

from auditlane.runtime.errors import ConfigError
from auditlane.store.fold import fold
from auditlane.store.migrate import RECORD, Migration, known
from auditlane.store.partitioning import Partitioning

# The sharding keys. A tenant is on one shard, so FINAL and a tenant's page need only that shard.
SHARDING: Final = {"events": "cityHash64(tenant_id)", "settings": "cityHash64(scope)"}
# One replicated table for all shards: every server knows which links were opened, and which process observes.
SHARED: Final = frozenset({"leases", "link_claims", "observations"})
# The migrations applied to a shard's tables, since an ALTER reaches only one shard's replicas.
LOCAL: Final = frozenset({"migrations"})
WINDOW_SECONDS: Final = 7 * 86_400  # tokens also expire by age, and a server's own default may be an hour
_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (`[^`]+`)\.(\w+)")
_ENGINE = re.compile(r"\) ENGINE = (\w*MergeTree)(?:\(([^)]*)\))?")
_VIEW = re.compile(r"CREATE VIEW IF NOT EXISTS (`[^`]+`)\.(\w+)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def statements(
    database: str,
    cluster: str,
    migrations: list[Migration] | None = None,
    *,
    one_server: bool = False,
    partitioning: Partitioning = Partitioning.MONTH,
) -> list[str]:
    """Return all statements of the cluster form, in order. Each of them is idempotent.

    With `one_server`, they create the tables on the server that runs them, otherwise on the whole cluster (ON CLUSTER).
    Raises ConfigError for an invalid cluster name.
    """
    if not _NAME.fullmatch(cluster):
        raise ConfigError(
            f"{cluster!r} is not a valid cluster name.", field="--cluster", fix="Use a name from system.clusters."
        )
    on = "" if one_server else f" ON CLUSTER `{cluster}`"
    chain = [RECORD.replace("{database}", f"`{database}`")]
    for migration in known() if migrations is None else migrations:
        chain += migration.statements(database, partitioning)
    result = [f"CREATE DATABASE IF NOT EXISTS `{database}`{on}"]
    for statement in fold(chain):
        result += _clustered(statement, database, cluster, on)
    return result


def script(
    database: str, cluster: str, *, one_server: bool = False, partitioning: Partitioning = Partitioning.MONTH
) -> str:
    """Return the statements as one SQL script."""
    option = " --this-server" if one_server else ""
    option += "" if partitioning is Partitioning.MONTH else f" --partitions {partitioning}"
    where = f"one server of the cluster {cluster}" if one_server else f"the cluster {cluster}"
    head = f"-- The tables of auditlane on {where}; generated: auditlane init --cluster {cluster} --print{option}\n"
    made = statements(database, cluster, one_server=one_server, partitioning=partitioning)
    return head + "".join(f"\n{statement};\n" for statement in made)


def _clustered(statement: str, database: str, cluster: str, on: str) -> list[str]:
    if table := _TABLE.match(statement):
        name = table[2]
        local = _replicated(statement.replace(table[0], f"{table[0]}{on}", 1), name)
        if name in SHARED | LOCAL:
            return [local]
        if name not in SHARDING:
            raise ConfigError(
                f"The table {name} has no sharding key for its cluster form.", fix="Add it to `store.cluster.SHARDING`."
            )
        engine = f"Distributed(`{cluster}`, `{database}`, {name}, {SHARDING[name]})"
        distributed = (
            f"CREATE TABLE IF NOT EXISTS `{database}`.{name}_all{on} AS `{database}`.{name}\nENGINE = {engine}"
        )
        return [local, distributed]
    if view := _VIEW.match(statement):
        text = statement.replace(view[0], f"{view[0]}{on}", 1)
        return [text.replace(f"FROM `{database}`.events FINAL", f"FROM `{database}`.events_all FINAL")]
    raise ConfigError(f"This statement has no cluster form: {statement.splitlines()[0]}")


def _replicated(statement: str, name: str) -> str:
    """Replace the engine with its replicated form and its own Keeper path, and rename the deduplication-window
    setting.
    """
    engine = _ENGINE.search(statement)
    if engine is None:
        raise ConfigError(f"The table {name} has no MergeTree engine.")
    path = f"'/clickhouse/tables/{{shard}}/{{database}}/{name}', '{{replica}}'"
    if name in SHARED:
        path = f"'/clickhouse/tables/shared/{{database}}/{name}', '{{shard}}-{{replica}}'"
    arguments = ", ".join(filter(None, (path, engine[2])))
    replicated = statement.replace(engine[0], f") ENGINE = Replicated{engine[1]}({arguments})", 1)
    return replicated.replace("non_replicated_deduplication_window =", "replicated_deduplication_window =") + (
        f", replicated_deduplication_window_seconds = {WINDOW_SECONDS}"
    )
