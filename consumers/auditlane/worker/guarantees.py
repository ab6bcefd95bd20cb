"""What the worker checks of ClickHouse before it reads a message: whether the promise can be kept there at all."""

from __future__ import annotations

import re
from math import ceil

from clickhouse_connect.driver.client import Client

from auditlane.runtime.errors import ConfigError, StoreRefused
from auditlane.store.client import store_errors
from auditlane.worker.recovery import Stored
from auditlane.worker.write import OPTIONAL, PINNED, REPLICATED, Table

WINDOW_SECONDS = 600  # the longest pause plus takeover that tokens must outlive
GAP_WINDOW = 1_000_000  # offsets below the highest in which the last, half-stored range must lie
_PARTITIONING = "toYYYYMM(occurred_at)"  # one insert a month is one part only then


def check(client: Client, database: str, *, parts_per_second: float) -> Table:
    """Read what the table is and prove that inserts may carry the pinned settings.

    Raises ConfigError that says what to change, StoreUnavailable when ClickHouse is away.
    """
    with store_errors():
        found = client.query(
            "SELECT engine, engine_full, partition_key FROM system.tables "
            "WHERE database = {database:String} AND name = 'events'",
            parameters={"database": database},
        ).result_rows
        if not found:
            raise ConfigError(f"ClickHouse has no table {database}.events.", fix="Run `auditlane init`.")
        engine, definition, partitioning = found[0]
        columns = client.query(
            "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = 'events' "
            "AND default_kind NOT IN ('MATERIALIZED', 'ALIAS') ORDER BY position",
            parameters={"database": database},
        ).result_rows
        window = _window(client, engine, definition)
    check_table(f"{database}.events", engine, partitioning, window, parts_per_second)
    settings = _accepted(client, settings_for(engine))
    return Table(database, tuple((str(name), str(kind)) for name, kind in columns), settings)


def settings_for(engine: str) -> dict[str, int | str]:
    """What every insert into a table of this engine carries."""
    return PINNED | (REPLICATED if engine.startswith("Replicated") else {})


def check_table(name: str, engine: str, partitioning: str, window: int, parts_per_second: float) -> None:
    """Raises ConfigError when a repeated insert into such a table could add something."""
    if not engine.endswith("MergeTree") or engine.startswith("Shared"):
        raise ConfigError(
            f"{name} has the engine {engine}, which does not promise that a repeated insert adds nothing.",
            fix="The worker writes to ReplacingMergeTree or ReplicatedReplacingMergeTree, never through Distributed.",
        )
    if partitioning.replace("`", "") != _PARTITIONING:
        raise ConfigError(f"{name} is partitioned by {partitioning!r}.", fix=f"It must be by {_PARTITIONING}.")
    wanted = ceil(parts_per_second * WINDOW_SECONDS)
    if window < wanted:
        setting = _window_setting(engine)
        raise ConfigError(
            f"{name} remembers the tokens of {window} inserts; this worker makes up to {wanted} in {WINDOW_SECONDS} s.",
            fix=f"ALTER TABLE {name} MODIFY SETTING {setting} = {max(10_000, wanted)}; count every worker.",
        )


def _window_setting(engine: str) -> str:
    return (
        "replicated_deduplication_window" if engine.startswith("Replicated") else "non_replicated_deduplication_window"
    )


def _window(client: Client, engine: str, definition: str) -> int:
    setting = _window_setting(engine)
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


def newest(client: Client, database: str, topic_id: str, partition: int, *, low: int) -> Stored:
    """What the store holds of a partition from offset `low` on: its highest offset, and the first gap near it."""
    where = "kafka_topic_id = {topic:UUID} AND kafka_partition = {partition:UInt32} AND kafka_offset >= {low:UInt64}"
    parameters = {"topic": topic_id, "partition": partition, "low": low}
    source = f"FROM `{database}`.events WHERE {where}"
    with store_errors():
        [(count, highest)] = client.query(
            f"SELECT count(), max(kafka_offset) {source}", parameters=parameters
        ).result_rows
        if not count:
            return Stored(None)
        floor = max(low, int(highest) - GAP_WINDOW + 1)
        offsets = client.query(
            f"SELECT DISTINCT kafka_offset {source} AND kafka_offset >= {{floor:UInt64}} ORDER BY kafka_offset",
            parameters=parameters | {"floor": floor},
        ).result_columns[0]
    expected = floor
    for offset in offsets:
        if offset != expected:
            return Stored(int(highest), expected)
        expected += 1
    return Stored(int(highest))
