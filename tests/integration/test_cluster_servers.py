"""Tests the cluster form on a real cluster. AUDITLANE_TEST_CLICKHOUSE_URLS=a,b,c lists the replicas of one shard, in
any order.

AUDITLANE_TEST_CLICKHOUSE_USER and …_PASSWORD set the account, and …_CLUSTER sets the name of the cluster. The default
is the largest cluster in system.clusters.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from fixtures.workers import wait_until

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.remedy import Remedy
from auditlane.runtime.settings import load
from auditlane.store import cluster, cluster_init, event_insert, preflight
from auditlane.store.client import connect
from auditlane.store.insert_failures import classify
from auditlane.store.migrate import Migration, known
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.validation.event_columns import EVENTS

NAMED = {
    name: os.environ.get(f"AUDITLANE_TEST_CLICKHOUSE_{name}", "") for name in ("URLS", "USER", "PASSWORD", "CLUSTER")
}
URLS = [one.strip() for one in NAMED["URLS"].split(",") if one.strip()]
LATER = Migration(
    9_001,
    "9001_later.sql",
    "ALTER TABLE {database}.events ADD COLUMN IF NOT EXISTS note String DEFAULT 'x' AFTER action,"
    " ADD INDEX IF NOT EXISTS noted note TYPE minmax GRANULARITY 1",
)
AT = int(datetime(2026, 11, 3, tzinfo=UTC).timestamp() * 1_000)

pytestmark = pytest.mark.skipif(
    len(URLS) < 3, reason="AUDITLANE_TEST_CLICKHOUSE_URLS does not name three replicas of one shard"
)


class Servers:
    def __init__(self, database: str) -> None:
        account = {"clickhouse_user": NAMED["USER"] or "default", "clickhouse_password": NAMED["PASSWORD"]}
        self.database = database
        self.clients = [connect(load(clickhouse_url=one, **account)) for one in URLS]
        self.cluster = NAMED["CLUSTER"] or str(
            self.clients[0]
            .query("SELECT cluster FROM system.clusters GROUP BY cluster ORDER BY count() DESC, cluster LIMIT 1")
            .result_rows[0][0]
        )

    def init(self, client: Client) -> list[str]:
        """Run the migrations on the cluster that `auditlane init` would choose."""
        name = cluster_init.cluster_of(client, self.database) or self.cluster
        return cluster_init.migrate(client, self.database, name)

    def form(self, client: Client) -> object:
        query = (
            "SELECT table, name, type, default_kind, default_expression FROM system.columns "
            f"WHERE database = '{self.database}' ORDER BY table, position"
        )
        return client.query(query).result_rows

    def close(self) -> None:
        for client in self.clients:
            client.command(f"DROP DATABASE IF EXISTS `{self.database}` SYNC")
            client.close()


@pytest.fixture
def servers(unique: str) -> Iterator[Servers]:
    made = Servers(unique)
    yield made
    made.close()


def test_init_through_any_replica_any_number_of_times_and_on_one_that_joins_later(
    servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = servers.clients[:3]
    names = [one.name for one in known()]
    assert servers.init(first) == names
    second.command(f"CREATE DATABASE IF NOT EXISTS `{servers.database}`")
    for _ in range(2):
        assert set(servers.init(second)) <= set(names)  # the replica's copy of the record may lag behind
        assert servers.init(first) == []
    assert servers.form(first) == servers.form(second)

    later = [*known(), LATER]
    for module in (cluster, cluster_init):
        monkeypatch.setattr(module, "known", lambda: later)
    with pytest.raises(ConfigError, match="lacks the tables"):
        third.command(f"CREATE DATABASE IF NOT EXISTS `{servers.database}`")
        third.command(cluster.statements(servers.database, servers.cluster, one_server=True)[1])
        third.command(f"SYSTEM SYNC REPLICA `{servers.database}`.migrations")
        servers.init(third)
    assert servers.init(second) == [LATER.name]
    servers.init(first)
    servers.init(third)
    assert servers.form(first) == servers.form(second) == servers.form(third)
    [[engine]] = third.query(
        f"SELECT engine FROM system.tables WHERE database = '{servers.database}' AND name = 'migrations'"
    ).result_rows
    assert engine == "ReplicatedReplacingMergeTree"


def stored(writer: event_insert.Writer, range_: Range, rows: pa.Table) -> bool:
    """Insert rows, and return whether the insert was acknowledged. A quorum insert may have to wait until another one
    has finished.
    """
    try:
        writer.insert(range_, 202611, event_insert.EncodedBatch(event_insert.columns_to_send(rows, range_)))
    except ClickHouseError as error:
        if classify(error).remedy is Remedy.halt:
            raise
        return False
    return True


def test_a_range_inserted_through_every_replica_is_stored_once_on_each(servers: Servers) -> None:
    topic_id, count = str(uuid.uuid4()), 100
    offsets = list(range(count))
    columns = Columns(offsets, [AT] * count, [b""] * count, [b""] * count)
    range_ = Range(Partition("t", 0), topic_id, 0, count - 1, columns, "", assignment_epoch=1)
    rows = pa.table(
        {
            "tenant_id": ["t"] * count,
            "occurred_at": pa.array([AT * 1_000] * count, pa.timestamp("us")),
            "event_id": [str(uuid.uuid4()) for _ in offsets],
            "kafka_topic_id": [topic_id] * count,
            "kafka_offset": pa.array(offsets, pa.uint64()),
            "kafka_timestamp": pa.array([AT] * count, pa.timestamp("ms")),
        }
    )
    for client in servers.clients:
        servers.init(client)
    for client in servers.clients:
        table = preflight.check(client, servers.database, EVENTS.names, parts_per_second=1)
        kept = (*rows.column_names, "kafka_partition")
        table = replace(table, columns=tuple(one for one in table.columns if one[0] in kept))
        wait_until(partial(stored, event_insert.Writer(client, table), range_, rows))
    for client in servers.clients:
        client.command(f"SYSTEM SYNC REPLICA `{servers.database}`.events")
        assert client.query(f"SELECT count() FROM `{servers.database}`.events").result_rows == [(count,)]
