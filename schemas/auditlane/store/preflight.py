"""What the worker checks of ClickHouse before it reads a message: whether the promise can be kept there at all."""

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

WINDOW_SECONDS = 600  # the longest pause plus takeover that tokens must outlive
ENGINES: Final = ("ReplacingMergeTree", "ReplicatedReplacingMergeTree")
VERSION: Final = "first_wins"  # of rows with one key, which Kafka had first
PARTITIONING: Final = "toYYYYMM(occurred_at)"  # one insert a month is one part only then
SORTING: Final = "tenant_id, occurred_at, event_id, content_hash"  # rows alike in these are one event; others are kept


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """How a table is made, as `system.tables` tells it, and how many inserts' tokens it remembers for how many seconds
    (None: for as long as they are among so many)."""

    name: str
    engine: str
    definition: str
    partitioning: str = PARTITIONING
    sorting: str = SORTING
    window: int = 0
    window_s: int | None = None

    @property
    def version(self) -> str:
        """The engine's last argument: the column that decides between rows of one key; empty without one."""
        arguments = re.match(r"\w+\((.*?)\)(?= |$)", self.definition)
        last = arguments[1].rpartition(",")[2].strip() if arguments else ""
        return "" if last.startswith("'") else last.strip("`")


def check(client: Client, database: str, written: Collection[str], *, parts_per_second: float) -> Table:
    """Read what the table is and prove that inserts may carry the pinned settings.

    `written` are the columns that inserts name, `parts_per_second` is of all workers.

    Raises ConfigError that says what to change, StoreUnavailable when ClickHouse is away.
    """
    with store_errors():
        found = client.query(
            "SELECT engine, engine_full, partition_key, sorting_key FROM system.tables "
            "WHERE database = {database:String} AND name = 'events'",
            parameters={"database": database},
        ).result_rows
        if not found:
            raise ConfigError(f"ClickHouse has no table {database}.events.", fix="Run `auditlane init`.")
        engine, definition, partitioning, sorting = found[0]
        columns = client.query(
            "SELECT name, type, default_kind FROM system.columns "
            "WHERE database = {database:String} AND table = 'events' ORDER BY position",
            parameters={"database": database},
        ).result_rows
        window = _setting(client, definition, _window(engine))
        window_s = _setting(client, definition, f"{_window(engine)}_seconds") if _replicated(engine) else None
    made = TableDefinition(f"{database}.events", engine, definition, partitioning, sorting, window, window_s)
    check_table(made, parts_per_second)
    settings = _accepted(client, settings_for(engine))
    return Table(database, inserted(made.name, columns, written), settings)


def inserted(table: str, columns: Iterable[Sequence[str]], written: Collection[str]) -> tuple[tuple[str, str], ...]:
    """The (name, type) of each column that an insert names: those of `written`, in the table's order.

    `columns` are the table's as (name, type, kind of default). Other columns get their defaults: a newer version of
    auditlane, whose workers run beside this one, added them. Raises ConfigError when the table would not store one of
    the worker's columns.
    """
    found = {str(name): (str(kind), str(default_kind)) for name, kind, default_kind in columns}
    lacking = [name for name in written if name not in found]
    if lacking:
        raise ConfigError(
            f"{table} lacks columns that this worker writes: {', '.join(lacking)}.",
            fix="Run `auditlane init` of the worker's version; add a column that was dropped by hand again.",
        )
    computed = [f"{name} ({found[name][1]})" for name in written if found[name][1] not in ("", "DEFAULT")]
    if computed:
        raise ConfigError(
            f"{table} does not store what this worker writes to the columns {', '.join(computed)}.",
            fix=f"ALTER TABLE {table} MODIFY COLUMN each of them to a plain column.",
        )
    return tuple((name, kind) for name, (kind, _) in found.items() if name in written)


def settings_for(engine: str) -> dict[str, int | str]:
    """What every insert into a table of this engine carries."""
    return PINNED | (REPLICATED if _replicated(engine) else {})


def check_table(made: TableDefinition, parts_per_second: float) -> None:
    """Raises ConfigError when such a table could lose a row, or a repeated insert could add one."""
    name = made.name
    if made.engine not in ENGINES:
        raise ConfigError(
            f"{name} has the engine {made.engine}, which does not promise that each event stays, and stays once.",
            fix=f"The worker writes to {' or '.join(ENGINES)}, never through Distributed. {_ANEW}",
        )
    if made.version != VERSION:
        raise ConfigError(
            f"Of rows with one key {name} keeps what {made.version or 'came last'} says, not {VERSION}.",
            fix=f"The engine's last argument must be {VERSION}. {_ANEW}",
        )
    if made.sorting.replace("`", "") != SORTING:
        raise ConfigError(
            f"{name} is sorted by ({made.sorting}): rows that are alike in these are merged into one, and events lost.",
            fix=f"It must be ORDER BY ({SORTING}). {_ANEW}",
        )
    if made.partitioning.replace("`", "") != PARTITIONING:
        raise ConfigError(
            f"{name} is partitioned by {made.partitioning!r}.", fix=f"It must be by {PARTITIONING}. {_ANEW}"
        )
    wanted, setting = ceil(parts_per_second * WINDOW_SECONDS), _window(made.engine)
    if made.window < wanted:
        raise ConfigError(
            f"{name} remembers the tokens of {made.window} inserts; up to {wanted} are made in {WINDOW_SECONDS} s.",
            fix=f"ALTER TABLE {name} MODIFY SETTING {setting} = {max(40_000, wanted)}; "
            f"{variable('worker_processes_total')} says how many workers insert.",
        )
    if made.window_s is not None and made.window_s < WINDOW_SECONDS:
        raise ConfigError(
            f"{name} forgets the tokens of inserts after {made.window_s} s.",
            fix=f"ALTER TABLE {name} MODIFY SETTING {setting}_seconds = {CLUSTER_WINDOW_S}.",
        )


_ANEW: Final = "Make the table anew with `auditlane init`, in another database or after a rename, and replay into it."


def _replicated(engine: str) -> bool:
    return engine.startswith("Replicated")


def _window(engine: str) -> str:
    return "replicated_deduplication_window" if _replicated(engine) else "non_replicated_deduplication_window"


def _setting(client: Client, definition: str, setting: str) -> int:
    """What the table says, else the server's default."""
    given = re.search(rf"\b{setting} = (\d+)", definition)
    if given:
        return int(given[1])
    default = client.query(
        "SELECT value FROM system.merge_tree_settings WHERE name = {name:String}", parameters={"name": setting}
    ).result_rows
    return int(default[0][0]) if default else 0


def _accepted(client: Client, settings: dict[str, int | str]) -> dict[str, int | str]:
    """The settings as this server knows them, after it echoed each with the value that we pin."""
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
                f"ClickHouse does not let this user set what inserts need: {str(error).splitlines()[0][:300]}.",
                fix="Remove the constraint from the user's profile: " + ", ".join(sorted(sent)),
            ) from error
    wrong = sorted(missing | {name for name, value in sent.items() if effective.get(name) != str(value)})
    if wrong:
        raise ConfigError(
            f"ClickHouse ignores settings that exactly-once inserts rest on: {', '.join(wrong)}.",
            fix="Let the user's profile change them, or upgrade ClickHouse.",
        )
    return sent
