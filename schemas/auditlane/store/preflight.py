"""The worker's preflight: checks, before any message is consumed, that exactly-once works with this ClickHouse."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from clickhouse_connect.driver.client import Client

from auditlane.runtime.errors import ConfigError, StoreRefused
from auditlane.runtime.settings import variable
from auditlane.store.client import store_errors
from auditlane.store.cluster import WINDOW_SECONDS as CLUSTER_WINDOW_S
from auditlane.store.event_insert import OPTIONAL, PINNED, REPLICATED, Table
from auditlane.store.partitioning import Partitioning, check_setting

WINDOW_SECONDS = 600  # tokens must outlive the longest pause plus a takeover
ENGINES: Final = ("ReplacingMergeTree", "ReplicatedReplacingMergeTree")
VERSION: Final = "first_wins"  # of rows with the same key, the one that reached Kafka first is kept
SORTING: Final = "tenant_id, occurred_at, event_id, content_hash"  # rows equal in these are copies of one event


class NotMigrated(ConfigError):
    """Raised if this release's tables do not exist: `auditlane init` was never run, or only by an older release."""


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table's definition from `system.tables`.

    The table keeps the tokens of the newest `window` inserts, each for at most `window_s` seconds, or None without a
    time limit.
    """

    name: str
    engine: str
    definition: str
    partition_key: str = Partitioning.MONTH.expression
    sorting: str = SORTING
    window: int = 0
    window_s: int | None = None

    @property
    def version(self) -> str:
        """The engine's last argument, a column that decides between rows with the same key, or "" if it has none."""
        arguments = re.match(r"\w+\((.*?)\)(?= |$)", self.definition)
        last = arguments[1].rpartition(",")[2].strip() if arguments else ""
        return "" if last.startswith("'") else last.strip("`")


def check(
    client: Client,
    database: str,
    written: Collection[str],
    *,
    parts_per_second: float,
    partitions: Partitioning | None = None,
) -> Table:
    """Check the table's definition, and prove that inserts may use the pinned settings.

    `written` contains the columns that inserts name, `parts_per_second` is all workers' total, and `partitions` is the
    configured partitioning, if any.

    Raises NotMigrated if `auditlane init` has to run first, ConfigError with any other required change, or
    StoreUnavailable if ClickHouse is unavailable.
    """
    with store_errors():
        found = client.query(
            "SELECT engine, engine_full, partition_key, sorting_key FROM system.tables "
            "WHERE database = {database:String} AND name = 'events'",
            parameters={"database": database},
        ).result_rows
        if not found:
            raise NotMigrated(f"ClickHouse has no table {database}.events.", fix="Run `auditlane init`.")
        engine, definition, partition_key, sorting = found[0]
        columns = client.query(
            "SELECT name, type, default_kind FROM system.columns "
            "WHERE database = {database:String} AND table = 'events' ORDER BY position",
            parameters={"database": database},
        ).result_rows
        window = _setting(client, definition, _window(engine))
        window_s = _setting(client, definition, f"{_window(engine)}_seconds") if _replicated(engine) else None
    table = TableDefinition(f"{database}.events", engine, definition, partition_key, sorting, window, window_s)
    partitioning = check_table(table, parts_per_second)
    check_setting(table.name, partitioning, partitions)
    settings = _accepted(client, settings_for(engine))
    return Table(database, inserted(table.name, columns, written), settings, partitioning, window=table.window)


def inserted(table: str, columns: Iterable[Sequence[str]], written: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Return the name and type of each column that an insert names: those in `written`, in the table's order.

    `columns` contains the table's columns as (name, type, kind of default). Other columns get their defaults, since
    they were added by a newer version whose workers run alongside this one. Raises NotMigrated if the table lacks one
    of the worker's columns, and ConfigError if it would not store one.
    """
    found = {str(name): (str(kind), str(default_kind)) for name, kind, default_kind in columns}
    lacking = [name for name in written if name not in found]
    if lacking:
        raise NotMigrated(
            f"{table} lacks columns that this worker writes: {', '.join(lacking)}.",
            fix="Run `auditlane init` from the same release as the worker; "
            "if a column was dropped manually, add it again.",
        )
    computed = [f"{name} ({found[name][1]})" for name in written if found[name][1] not in ("", "DEFAULT")]
    if computed:
        raise ConfigError(
            f"{table} does not store columns that this worker writes: {', '.join(computed)}.",
            fix=f"Change each of them to a plain column: ALTER TABLE {table} MODIFY COLUMN.",
        )
    return tuple((name, kind) for name, (kind, _) in found.items() if name in written)


def settings_for(engine: str) -> dict[str, int | str]:
    """Return the settings for every insert into a table with this engine."""
    return PINNED | (REPLICATED if _replicated(engine) else {})


def check_table(table: TableDefinition, parts_per_second: float) -> Partitioning:
    """Return the table's partitioning. Raises ConfigError if the table could lose a row, or if a repeated insert could
    add one.
    """
    name = table.name
    if table.engine not in ENGINES:
        raise ConfigError(
            f"{name} has the engine {table.engine}, which does not guarantee that each event is kept exactly once.",
            fix=f"Use {' or '.join(ENGINES)}, not Distributed. {_RECREATE}",
        )
    if table.version != VERSION:
        raise ConfigError(
            f"Among rows with the same key, {name} keeps one by {table.version or 'insertion order'}, not by "
            f"{VERSION}.",
            fix=f"Use {VERSION} as the engine's last argument. {_RECREATE}",
        )
    if table.sorting.replace("`", "") != SORTING:
        raise ConfigError(
            f"{name} is sorted by ({table.sorting}): rows with the same values in these columns are merged, which "
            "loses events.",
            fix=f"Use ORDER BY ({SORTING}). {_RECREATE}",
        )
    partitioning = Partitioning.of(table.partition_key)
    if partitioning is None:
        raise ConfigError(
            f"{name} is partitioned by {table.partition_key!r}: an insert could be stored in part.",
            fix=f"Use PARTITION BY {' or '.join(one.expression for one in Partitioning)}. {_RECREATE}",
        )
    wanted, setting = ceil(parts_per_second * WINDOW_SECONDS), _window(table.engine)
    if table.window < wanted:
        raise ConfigError(
            f"{name} remembers the tokens of {table.window} inserts, but the workers make up to {wanted} in "
            f"{WINDOW_SECONDS} s.",
            fix=f"Run ALTER TABLE {name} MODIFY SETTING {setting} = {max(40_000, wanted)}, or correct the number of "
            f"workers in {variable('worker_processes_total')}.",
        )
    if table.window_s is not None and table.window_s < WINDOW_SECONDS:
        raise ConfigError(
            f"{name} forgets the tokens of inserts after {table.window_s} s.",
            fix=f"Run ALTER TABLE {name} MODIFY SETTING {setting}_seconds = {CLUSTER_WINDOW_S}.",
        )
    return partitioning


_RECREATE: Final = (
    "Create the table again with `auditlane init`, in another database or after a rename, and replay into it."
)


def _replicated(engine: str) -> bool:
    return engine.startswith("Replicated")


def _window(engine: str) -> str:
    return "replicated_deduplication_window" if _replicated(engine) else "non_replicated_deduplication_window"


def _setting(client: Client, definition: str, setting: str) -> int:
    """Return the table's value for a setting, or the server's default if the table has none."""
    given = re.search(rf"\b{setting} = (\d+)", definition)
    if given:
        return int(given[1])
    default = client.query(
        "SELECT value FROM system.merge_tree_settings WHERE name = {name:String}", parameters={"name": setting}
    ).result_rows
    return int(default[0][0]) if default else 0


def _accepted(client: Client, settings: dict[str, int | str]) -> dict[str, int | str]:
    """Return the settings that this server supports, once it has confirmed the pinned value of each."""
    with store_errors():
        known = {
            str(row[0])
            for row in client.query(
                "SELECT name FROM system.settings WHERE name IN {names:Array(String)}",
                parameters={"names": list(settings)},
            ).result_rows
        }
        missing = settings.keys() - known - OPTIONAL
        sent = {name: value for name, value in settings.items() if name in known}
        try:
            effective = {
                str(name): str(value)
                for name, value in client.query(
                    "SELECT name, value FROM system.settings WHERE name IN {names:Array(String)}",
                    parameters={"names": list(sent)},
                    settings=sent,
                ).result_rows
            }
        except Exception as error:
            raise StoreRefused(
                "ClickHouse does not allow this user to set the settings that inserts require: "
                f"{str(error).splitlines()[0][:300]}.",
                fix="Remove the constraints on these settings from the user's profile: " + ", ".join(sorted(sent)),
            ) from error
    wrong = sorted(missing | {name for name, value in sent.items() if effective.get(name) != str(value)})
    if wrong:
        raise ConfigError(
            f"ClickHouse ignores settings that exactly-once inserts require: {', '.join(wrong)}.",
            fix="Allow the user's profile to change them, or upgrade ClickHouse.",
        )
    return sent
