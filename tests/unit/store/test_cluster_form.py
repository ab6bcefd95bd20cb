"""Tests that the cluster form of the SQL equals the single-server form, except for replicated engines and ON
CLUSTER.
"""

from __future__ import annotations

import re

import pytest

from auditlane.runtime.errors import ConfigError
from auditlane.store.cluster import LOCAL, SHARDING, SHARED, script, statements
from auditlane.store.cluster_init import changes
from auditlane.store.event_insert import PINNED
from auditlane.store.fold import fold
from auditlane.store.migrate import RECORD, Migration, known
from auditlane.store.partitioning import Partitioning
from auditlane.store.preflight import TableDefinition, check_table, settings_for


def single(*later: Migration) -> list[str]:
    """Return the statements that create the final state, in the single-server form."""
    chain = [one for migration in [*known(), *later] for one in migration.statements("audit")]
    return fold([RECORD.replace("{database}", "`audit`"), *chain])


def clustered(*later: Migration) -> list[str]:
    return statements("audit", "main", [*known(), *later])


LATER = Migration(
    9,
    "0009_later.sql",
    "ALTER TABLE {database}.events ADD COLUMN IF NOT EXISTS note String, ADD INDEX IF NOT EXISTS n note TYPE minmax;"
    "ALTER TABLE {database}.settings MODIFY SETTING non_replicated_deduplication_window = 7;"
    "CREATE OR REPLACE VIEW {database}.log AS SELECT note FROM {database}.events FINAL",
)


def test_every_statement_runs_on_the_cluster_and_every_table_has_its_distributed_one() -> None:
    assert all("ON CLUSTER `main`" in one for one in clustered())
    tables = {match[1] for one in single() if (match := re.match(r"CREATE TABLE IF NOT EXISTS `audit`\.(\w+)", one))}
    assert tables == SHARDING.keys() | SHARED | LOCAL
    for name in SHARDING:
        assert f"Distributed(`main`, `audit`, {name}, {SHARDING[name]})" in script("audit", "main")


@pytest.mark.parametrize("later", [[], [LATER]])
def test_without_its_cluster_clauses_it_equals_the_single_server_form(later: list[Migration]) -> None:
    """Therefore, a column that is added to one form must be added to the other as well."""
    back = []
    for statement in clustered(*later):
        if statement.startswith("CREATE DATABASE") or "ENGINE = Distributed" in statement:
            continue
        statement = statement.replace(" ON CLUSTER `main`", "").replace("events_all FINAL", "events FINAL")
        statement = re.sub(r"Replicated(\w+)\('[^']*', '[^']*\{replica\}'(?:, )?", r"\1(", statement).replace(
            "MergeTree()", "MergeTree"
        )
        statement = re.sub(r", replicated_deduplication_window_seconds = \d+$", "", statement)
        back.append(re.sub(r"\breplicated_deduplication_window", "non_replicated_deduplication_window", statement))
    assert back == single(*later)


def test_the_choice_of_partitions_is_the_only_difference() -> None:
    by_day = script("audit", "main", partitioning=Partitioning.DAY)
    assert "--partitions day\n" in by_day.partition("\n")[0] + "\n"
    assert by_day.replace(" --partitions day\n", "\n").replace("toYYYYMMDD", "toYYYYMM") == script("audit", "main")
    assert by_day.count("PARTITION BY toYYYYMMDD(occurred_at)") == 1


def test_it_is_the_final_state_and_alters_nothing() -> None:
    """A replica that joins later can run the statements, since Keeper compares each CREATE with the current state of
    the table.
    """
    text = clustered(LATER)
    assert not [one for one in text if not one.startswith("CREATE ")]
    assert len([one for one in text if "`audit`.events ON CLUSTER" in one]) == 1
    [events] = [one for one in text if "`audit`.events ON CLUSTER" in one]
    assert "note String" in events
    assert "INDEX n note TYPE minmax" in events
    assert text[-1] == (
        "CREATE VIEW IF NOT EXISTS `audit`.log ON CLUSTER `main` AS SELECT note FROM `audit`.events_all FINAL"
    )


def test_for_one_server_it_is_the_same_without_on_cluster() -> None:
    alone = statements("audit", "main", one_server=True)
    assert alone == [one.replace(" ON CLUSTER `main`", "") for one in clustered()]
    assert "ON CLUSTER" not in script("audit", "main", one_server=True)


def test_each_shard_records_its_migrations_on_all_of_its_replicas() -> None:
    """An ALTER reaches the replicas of only one shard, so its record must not apply to other shards."""
    [record] = [one for one in clustered() if "`audit`.migrations" in one]
    assert clustered().index(record) == 1, "the table is created before the migrations that it records"
    assert "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/migrations', '{replica}')" in record


def test_an_upgrade_runs_only_a_migrations_alters_of_replicated_tables() -> None:
    """Views and Distributed tables are instead recreated on each server."""
    assert changes(LATER, "audit") == [
        "ALTER TABLE `audit`.events ADD COLUMN IF NOT EXISTS note String, ADD INDEX IF NOT EXISTS n note TYPE minmax",
        "ALTER TABLE `audit`.settings MODIFY SETTING replicated_deduplication_window = 7",
    ]


def test_each_table_has_a_path_of_its_own_and_no_name_of_one_replica() -> None:
    paths = re.findall(r"Replicated\w+\('([^']+)', '([^']+)'", script("audit", "main"))
    assert len(paths) == len(set(paths)) == len(SHARDING) + len(SHARED) + len(LOCAL)
    own = [one for one in paths if "/shared/" not in one[0]]
    assert all("{shard}" in path and replica == "{replica}" for path, replica in own)


def test_links_leases_and_observations_are_one_table_for_all_shards() -> None:
    """If each shard had tables of its own, a link would work once per shard, and each shard would have an observer."""
    shared = re.findall(r"Replicated\w+\('([^']+/shared/[^']+)', '([^']+)'", script("audit", "main"))
    assert [path.rpartition("/")[2] for path, _ in shared] == ["link_claims", "observations", "leases"]
    assert not any("{shard}" in path for path, _ in shared)
    assert {replica for _, replica in shared} == {"{shard}-{replica}"}
    assert not [name for name in SHARED if f"{name}_all" in script("audit", "main")]


def test_the_worker_accepts_the_generated_table() -> None:
    [events] = [one for one in clustered() if "Replicated" in one and "`audit`.events " in one]
    definition = events[events.index("Replicated") :].partition("\n")[0]
    window, window_s = (
        int(re.search(rf"replicated_deduplication_window{unit} = (\d+)", events)[1])  # type: ignore[index]
        for unit in ("", "_seconds")
    )
    check_table(
        TableDefinition("audit.events", "ReplicatedReplacingMergeTree", definition, window=window, window_s=window_s),
        4.0,
    )


def test_inserts_into_replicas_wait_for_a_majority_and_their_guard_reads_what_it_has() -> None:
    sent = settings_for("ReplicatedReplacingMergeTree")
    assert sent.items() >= PINNED.items()
    assert {name: sent[name] for name in sent.keys() - PINNED.keys()} == {
        "insert_quorum": "auto",
        "insert_quorum_parallel": 0,  # parallel quorum inserts do not support reads with sequential consistency
        "select_sequential_consistency": 1,
    }
    assert settings_for("ReplacingMergeTree") == PINNED


def test_the_worker_never_writes_through_distributed() -> None:
    with pytest.raises(ConfigError, match="Distributed"):
        check_table(TableDefinition("audit.events_all", "Distributed", "Distributed('main', 'audit', 'events')"), 4.0)


@pytest.mark.parametrize("name", ["", "a b", "x`y", "{cluster}"])
def test_an_invalid_cluster_name_is_rejected(name: str) -> None:
    with pytest.raises(ConfigError, match="not a valid cluster name"):
        statements("audit", name)


def test_a_statement_without_a_known_form_is_refused_rather_than_copied() -> None:
    with pytest.raises(ConfigError, match="has no cluster form"):
        statements("audit", "main", [Migration(9, "0009_x.sql", "RENAME TABLE {database}.a TO {database}.b")])
