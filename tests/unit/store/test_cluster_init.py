"""Tests `init` on one server of a cluster: its statements, repeated runs, and what it refuses to do."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from auditlane.runtime.errors import ConfigError, SchemaTooNew
from auditlane.store import cluster, cluster_init
from auditlane.store.migrate import Migration, known
from auditlane.store.partitioning import Partitioning

LATER = Migration(
    9,
    "0009_later.sql",
    "ALTER TABLE {database}.events ADD COLUMN IF NOT EXISTS note String;"
    "ALTER TABLE {database}.settings MODIFY SETTING non_replicated_deduplication_window = 7;"
    "CREATE OR REPLACE VIEW {database}.log AS SELECT note FROM {database}.events FINAL",
)
NAMES = [one.name for one in known()]


def _key(engine: str) -> str:
    found = re.search(r"PARTITION BY (.*)", engine)
    return found[1] if found else ""


@dataclass
class Server:
    """A replica as `init` sees it: the engines and columns of its tables, and the migrations that its shard has
    recorded.
    """

    engines: dict[str, str] = field(default_factory=dict)
    columns: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    recorded: dict[int, str] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    shard: str = ""
    # the path of each database that a shard has in Keeper, with the partition key of `events`; None without a Keeper
    keeper: dict[str, str] | None = None

    def command(self, statement: str) -> None:
        self.ran.append(statement)
        made = re.match(r"CREATE (?:OR REPLACE )?(?:TABLE|VIEW)(?: IF NOT EXISTS)? `audit`\.(\w+)", statement)
        if made and made[1] not in self.engines:
            engine = re.search(r"ENGINE = (.*(?:\nPARTITION BY .*)?)", statement)
            self.engines[made[1]] = engine[1].replace("`", "'") if engine else "View"

    def query(self, text: str, parameters: dict[str, Any] | None = None) -> SimpleNamespace:
        rows: list[Any] = []
        if "SELECT name, engine_full" in text:
            rows = list(self.engines.items())
        elif "SELECT partition_key FROM system.tables" in text:
            rows = [(_key(self.engines["events"]),)] if "events" in self.engines else []
        elif "SELECT 1 FROM system.tables" in text:
            rows = [(1,)] if "migrations" in self.engines else []
        elif "any(checksum)" in text:
            rows = list(self.recorded.items())
        elif "FROM system.macros" in text:
            rows = [(self.shard,)] if self.shard else []
        elif "FROM system.zookeeper" in text:
            if self.keeper is None:
                raise DatabaseError("there is no such table", code=60)
            rows = self._in_keeper(text, (parameters or {}).get("path", ""))
        elif "FROM system.columns" in text:
            rows = self.columns.get((parameters or {})["table"], [("a", "String", "", "")])
        return SimpleNamespace(result_rows=rows)

    def _in_keeper(self, text: str, path: str) -> list[Any]:
        assert self.keeper is not None
        if "path = '/clickhouse/tables'" in text:
            return [(shard,) for shard in ("shared", *sorted({one.split("/")[3] for one in self.keeper}))]
        if "name = 'metadata'" in text:
            if (key := self.keeper.get(path.removesuffix("/events"))) is None:
                raise DatabaseError("no node", code=999)
            return [(f"metadata format version: 1\nprimary key: tenant_id\npartition key: {key}\n",)]
        return [(1,)] if path in self.keeper else []

    def insert(self, table: str, rows: list[list[Any]], **_: Any) -> None:
        assert table == "migrations"
        self.recorded |= {version: checksum for version, _, checksum in rows}

    def init(self, name: str = "main", partitions: Partitioning | None = None) -> list[str]:
        self.ran.clear()
        return cluster_init.migrate(self, "audit", name, partitions)  # type: ignore[arg-type]

    def cluster(self) -> str:
        return cluster_init.cluster_of(self, "audit")  # type: ignore[arg-type]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (cluster, cluster_init):
        monkeypatch.setattr(module, "known", lambda: [*known(), LATER])


def test_a_new_server_gets_every_table_without_on_cluster() -> None:
    server = Server()
    assert server.cluster() == ""
    assert server.init() == NAMES
    assert server.ran[: len(cluster.statements("audit", "main"))] == cluster.statements(
        "audit", "main", one_server=True
    )
    assert not [one for one in server.ran if "ON CLUSTER" in one]
    assert server.recorded.keys() == {one.version for one in known()}
    assert server.cluster() == "main"


def test_the_choice_of_partitions_applies_to_a_new_table_only() -> None:
    server = Server(keeper={})
    server.init(partitions=Partitioning.DAY)
    assert _key(server.engines["events"]) == Partitioning.DAY.expression
    server.init()
    server.init(partitions=Partitioning.DAY)
    with pytest.raises(ConfigError, match="has one partition for each day, not one for each month"):
        server.init(partitions=Partitioning.MONTH)
    assert server.ran == []


@pytest.mark.parametrize("shard", ["01", "02"])
def test_a_server_that_joins_gets_the_partitions_of_the_other_servers(shard: str) -> None:
    """Whether it is another replica of the shard that has the table, or the first replica of a new shard."""
    joins = Server(shard=shard, keeper={"/clickhouse/tables/01/audit": Partitioning.DAY.expression})
    with pytest.raises(ConfigError, match="has one partition for each day, not one for each month"):
        joins.init(partitions=Partitioning.MONTH)
    assert joins.ran == []
    joins.init()
    assert _key(joins.engines["events"]) == Partitioning.DAY.expression


def test_it_may_run_again_and_changes_nothing() -> None:
    server = Server()
    server.init()
    engines, recorded = dict(server.engines), dict(server.recorded)
    assert server.init(server.cluster()) == []
    assert (server.engines, server.recorded) == (engines, recorded)
    assert all(one.startswith("CREATE ") and ("IF NOT EXISTS" in one or "VIEW" in one) for one in server.ran)


def test_a_replica_that_joins_later_finds_the_record_and_alters_nothing() -> None:
    first = Server()
    first.init()
    joins = Server(recorded=first.recorded)
    assert joins.init() == []
    assert joins.engines == first.engines


@pytest.mark.usefixtures("later")
def test_an_upgrade_alters_replicated_tables_once_and_updates_each_server() -> None:
    first = Server()
    first.init()
    del first.recorded[LATER.version]
    second = Server(engines=dict(first.engines), recorded=first.recorded)
    distributed = "ENGINE = Distributed(`main`, `audit`, events, cityHash64(tenant_id))"
    note = ("note", "String", "", "")
    for server, applied in ((first, [LATER.name]), (second, [])):
        server.columns = {"events": [("a", "String", "", ""), note]}
        assert server.init() == applied
        altered = [one for one in server.ran if one.startswith("ALTER")]
        setting = "ALTER TABLE `audit`.settings MODIFY SETTING replicated_deduplication_window = 7"
        column = ["ALTER TABLE `audit`.events ADD COLUMN IF NOT EXISTS note String"] if applied else []
        assert altered == [*column, setting], "each replica has settings of its own"
        assert [one for one in server.ran[-4:] if ".log_text " not in one] == [
            "SYSTEM FLUSH DISTRIBUTED `audit`.events_all",
            f"CREATE OR REPLACE TABLE `audit`.events_all AS `audit`.events\n{distributed}",
            "CREATE OR REPLACE VIEW `audit`.log AS SELECT note FROM `audit`.events_all FINAL",
        ]


@pytest.mark.usefixtures("later")
def test_a_replica_that_joins_a_shard_of_an_older_version_is_refused() -> None:
    server = Server(recorded={one.version: one.checksum for one in known()})
    with pytest.raises(
        ConfigError, match=f"lacks the tables, while its shard's tables are at version {len(NAMES)}"
    ) as no:
        server.init()
    assert "auditlane init" in no.value.fix
    assert "events" not in server.engines


def test_a_shard_of_a_newer_version_is_not_changed() -> None:
    server = Server(recorded={99: "x"})
    with pytest.raises(SchemaTooNew):
        server.init()
    assert "events" not in server.engines


def test_the_tables_of_one_server_are_not_mistaken_for_a_clusters() -> None:
    server = Server(engines={"events": "ReplacingMergeTree(first_wins) PARTITION BY x"})
    assert server.cluster() == ""
    with pytest.raises(ConfigError, match="which is for a single server"):
        server.init()
    assert server.ran == []


@pytest.mark.parametrize(
    ("keeper", "elsewhere"),
    [({"/clickhouse/tables/01/audit": "toYYYYMM(occurred_at)"}, True), ({}, False), (None, False)],
)
def test_a_replica_that_joins_is_not_given_the_tables_of_one_server(
    keeper: dict[str, str] | None, elsewhere: bool
) -> None:
    """If `init` were run without a cluster, through a load balancer, it would create the tables of a single server."""
    server = Server(shard="01", keeper=keeper)
    if elsewhere:
        with pytest.raises(ConfigError, match="that other replicas of its shard have") as no:
            server.cluster()
        assert "init --cluster" in no.value.fix
    else:
        assert server.cluster() == ""


def test_replicated_tables_without_a_clusters_name_are_refused() -> None:
    server = Server(engines={"events": "ReplicatedReplacingMergeTree('/a', '{replica}', first_wins)"})
    with pytest.raises(ConfigError, match="with the cluster's name") as no:
        server.cluster()
    assert "init --cluster" in no.value.fix


@pytest.mark.parametrize("engine", ["Distributed('main', 'audit', 'events', x)", "Distributed(main, audit, events, x)"])
def test_the_clusters_name_is_read_from_the_distributed_table(engine: str) -> None:
    assert Server(engines={"events_all": engine}).cluster() == "main"
