"""The cluster form says what the single-server SQL says, with replicated engines and ON CLUSTER."""

from __future__ import annotations

import re

import pytest

from auditlane.runtime.errors import ConfigError
from auditlane.store.cluster import SHARDING, SHARED, script, statements
from auditlane.store.migrate import Migration, known
from auditlane.worker.guarantees import Made, check_table, settings_for
from auditlane.worker.write import PINNED


def single() -> list[str]:
    return [one for migration in known() for one in migration.statements("audit")]


def made() -> list[str]:
    return statements("audit", "main")


def test_every_statement_runs_on_the_cluster_and_every_table_has_its_distributed_one() -> None:
    assert all("ON CLUSTER `main`" in one for one in made())
    tables = {match[1] for one in single() if (match := re.match(r"CREATE TABLE IF NOT EXISTS `audit`\.(\w+)", one))}
    assert tables == SHARDING.keys() | SHARED
    for name in SHARDING:
        assert f"Distributed(`main`, `audit`, {name}, {SHARDING[name]})" in script("audit", "main")


def test_taking_the_cluster_away_again_gives_the_single_form() -> None:
    """So a column that is added to one is in the other."""
    back = []
    for one in made():
        if one.startswith("CREATE DATABASE") or "ENGINE = Distributed" in one:
            continue
        one = one.replace(" ON CLUSTER `main`", "").replace("events_all FINAL", "events FINAL")
        one = re.sub(r"Replicated(\w+)\('[^']*', '[^']*\{replica\}'(?:, )?", r"\1(", one).replace(
            "MergeTree()", "MergeTree"
        )
        one = re.sub(r", replicated_deduplication_window_seconds = \d+$", "", one)
        back.append(re.sub(r"\breplicated_deduplication_window", "non_replicated_deduplication_window", one))
    assert back == single()


def test_each_table_has_a_path_of_its_own_and_no_name_of_one_replica() -> None:
    paths = re.findall(r"Replicated\w+\('([^']+)', '([^']+)'", script("audit", "main"))
    assert len(paths) == len(set(paths)) == len(SHARDING) + len(SHARED)
    own = [one for one in paths if "/shared/" not in one[0]]
    assert all("{shard}" in path and replica == "{replica}" for path, replica in own)


def test_what_links_were_opened_is_one_table_for_all_shards() -> None:
    """Else a link would work once in each shard that a process talks to."""
    [(path, replica)] = re.findall(r"Replicated\w+\('([^']+/shared/[^']+)', '([^']+)'", script("audit", "main"))
    assert "{shard}" not in path
    assert replica == "{shard}-{replica}"
    assert "link_claims_all" not in script("audit", "main")


def test_the_worker_accepts_the_table_that_is_generated() -> None:
    [events] = [one for one in made() if "Replicated" in one and "`audit`.events" in one]
    definition = events[events.index("Replicated") :].partition("\n")[0]
    window, window_s = (
        int(re.search(rf"replicated_deduplication_window{unit} = (\d+)", events)[1])  # type: ignore[index]
        for unit in ("", "_seconds")
    )
    check_table(Made("audit.events", "ReplicatedReplacingMergeTree", definition, window=window, window_s=window_s), 4.0)


def test_inserts_into_replicas_wait_for_a_majority_and_their_guard_reads_what_it_has() -> None:
    sent = settings_for("ReplicatedReplacingMergeTree")
    assert sent.items() >= PINNED.items()
    assert {name: sent[name] for name in sent.keys() - PINNED.keys()} == {
        "insert_quorum": "auto",
        "insert_quorum_parallel": 0,  # sequential consistency is refused to readers of parallel quorum inserts
        "select_sequential_consistency": 1,
    }
    assert settings_for("ReplacingMergeTree") == PINNED


def test_the_worker_never_writes_through_distributed() -> None:
    with pytest.raises(ConfigError, match="Distributed"):
        check_table(Made("audit.events_all", "Distributed", "Distributed('main', 'audit', 'events')"), 4.0)


@pytest.mark.parametrize("name", ["", "a b", "x`y", "{cluster}"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no cluster's name"):
        statements("audit", name)


def test_a_statement_without_a_known_form_is_refused_rather_than_copied() -> None:
    with pytest.raises(ConfigError, match="No cluster form"):
        statements("audit", "main", [Migration(9, "0009_x.sql", "RENAME TABLE {database}.a TO {database}.b")])
