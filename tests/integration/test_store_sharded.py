"""Tests two real shards. The generated tables are on two ClickHouse servers, which are read and written through
`Distributed`.

The embedded ClickHouse has no Keeper, so `ON CLUSTER` and replication are removed from the generated SQL. The rest is
unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from clickhouse_connect.driver.client import Client
from fixtures.clickhouse import EngineProcess

from auditlane.access.scope import TenantScope
from auditlane.local import ports
from auditlane.query.filters import parse
from auditlane.query.language.tree import Field, Kind
from auditlane.query.live.poll import News, Poller
from auditlane.query.reader import Reader
from auditlane.query.summary.summaries import Summaries
from auditlane.runtime.settings import load
from auditlane.store import cluster
from auditlane.store.client import connect
from auditlane.store.roles import ROLES
from auditlane.store.service_versions import last_started_version

CLUSTER = "main"
PASSWORDS = {role: f"password of {role}" for role in ROLES}
TENANTS = [f"tenant-{number}" for number in range(20)]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _servers(native: list[int]) -> str:
    """Return the definition of the cluster. Because of its secret, a server queries other shards as the user of the
    query instead of as `default`.
    """
    shards = "".join(f"<shard><replica><host>127.0.0.1</host><port>{port}</port></replica></shard>" for port in native)
    return (
        f"<clickhouse><remote_servers><{CLUSTER}><secret>s</secret>{shards}</{CLUSTER}></remote_servers></clickhouse>"
    )


# The configuration that an operator adds to restrict an analyst to one tenant.
_POLICY = """<clickhouse><users><analyst><databases><audit><events>
<filter>tenant_id = 'tenant-3'</filter>
</events></audit></databases></analyst></users></clickhouse>"""


def local(statement: str) -> str:
    """Adapt a statement to servers without Keeper."""
    statement = statement.replace(f" ON CLUSTER `{CLUSTER}`", "")
    statement = re.sub(r"Replicated(\w+)\('[^']*', '[^']*'(?:, )?", r"\1(", statement)
    statement = re.sub(r",?\s*\breplicated_deduplication_window_seconds = \d+", "", statement)
    return re.sub(r"\breplicated_deduplication_window\b", "non_replicated_deduplication_window", statement)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[EngineProcess]]:
    folder = tmp_path_factory.mktemp("shards")
    (folder / "users.json").write_text(json.dumps(PASSWORDS))
    native = ports.free(2)
    made = []
    try:
        for number, port in enumerate(native):
            data = folder / str(number)
            for name, text in (("config.d/cluster.xml", _servers(native)), ("users.d/policy.xml", _POLICY)):
                (data / "config" / name).parent.mkdir(parents=True)
                (data / "config" / name).write_text(text)
            extra = ("--native-port", str(port), "--users", str(folder / "users.json"), "--memory", str(1 << 30))
            made.append(EngineProcess(data, extra=extra))
        for engine in made:
            client = user(engine, "init")
            for statement in cluster.statements("audit", CLUSTER):
                client.command(local(statement))
            client.close()
        yield made
    finally:
        for engine in made:
            engine.stop()


def user(engine: EngineProcess, role: str) -> Client:
    return connect(load(clickhouse_url=engine.url, clickhouse_user=role, clickhouse_password=PASSWORDS[role]))


COLUMNS = [
    "tenant_id", "occurred_at", "event_id", "action", "actor_id", "actor_type", "resource", "outcome", "severity",
    "source", "schema_id", "ingested_at", "kafka_topic", "kafka_topic_id", "kafka_partition", "kafka_offset",
    "kafka_timestamp",
]  # fmt: skip
TOPIC = uuid4()


def row(tenant: str, event_id: UUID, offset: int) -> list[object]:
    event = [tenant, NOW, event_id, "Login", "", "user", "", "unknown", "Info", ""]
    return [*event, 1, NOW, "x", TOPIC, 0, offset, NOW]


@pytest.fixture(scope="module")
def filled(shards: list[EngineProcess]) -> list[EngineProcess]:
    """Store three events per tenant, each of them twice, through the first shard's Distributed table."""
    rows = [row(tenant, uuid4(), 3 * n + i) for n, tenant in enumerate(TENANTS) for i in range(3)]
    client = user(shards[0], "init")
    for copy in range(2):
        settings = {"distributed_foreground_insert": 1, "insert_deduplication_token": str(copy)}
        client.insert("events_all", rows, column_names=COLUMNS, database="audit", settings=settings)
    client.close()
    return shards


def test_each_tenant_is_on_one_shard_and_every_shard_reads_all(filled: list[EngineProcess]) -> None:
    held = []
    for engine in filled:
        client = user(engine, "query")
        held.append({one for (one,) in client.query("SELECT DISTINCT tenant_id FROM audit.events").result_rows})
        for view in ("log", "log_text"):
            seen = client.query(f"SELECT tenant_id, count() FROM audit.{view} GROUP BY ALL").result_rows
            assert dict(seen) == dict.fromkeys(TENANTS, 3)
        assert client.query("SELECT count() FROM audit.events_all").result_rows == [(6 * len(TENANTS),)]
        client.close()
    assert all(held)
    assert held[0] | held[1] == set(TENANTS)
    assert not held[0] & held[1]


@pytest.mark.parametrize("shard", [0, 1])
def test_a_tenants_events_are_read_and_counted_once_through_any_shard(filled: list[EngineProcess], shard: int) -> None:
    account = {"clickhouse_user": "query", "clickhouse_password": PASSWORDS["query"]}
    reader = Reader(load(clickhouse_url=filled[shard].url, clickhouse_database="audit", **account))
    for tenant in TENANTS[:4]:
        scope, filter_ = TenantScope.for_operator(tenant), parse([("action", "Login")])
        assert len(reader.page(scope, filter_, limit=10).events) == reader.count(scope, filter_) == 3
        summaries = Summaries(reader.executor, "audit")
        histogram = summaries.histogram(scope, filter_, zone=ZoneInfo("UTC"), max_buckets=10)
        facet = summaries.facet(scope, parse([]), Field("action", Kind.text), limit=10)
        assert histogram.events == 3
        stats = summaries.stats(scope, parse([]), zone=ZoneInfo("UTC"), now=NOW + timedelta(seconds=1))
        assert (stats.events, stats.severe) == (3, 0)
        for counts in (facet.data, stats.actions):
            assert [(count.value, count.events) for count in counts] == [("Login", 3)]
    reader.close()


def test_settings_that_are_saved_on_one_shard_are_read_on_the_other(filled: list[EngineProcess]) -> None:
    first, other = (user(engine, "init") for engine in filled)
    columns = ["scope", "revision", "save_id", "enabled", "fields", "changed_by", "changed_at"]
    rows = [[f"tenant:{tenant}", 1, uuid4(), True, "[]", "me", NOW] for tenant in TENANTS]
    settings = {"distributed_foreground_insert": 1}
    first.insert("settings_all", rows, column_names=columns, database="audit", settings=settings)
    assert other.query("SELECT uniqExact(scope) FROM audit.settings_all").result_rows == [(len(TENANTS),)]
    assert all(int(client.command("SELECT count() FROM audit.settings")) for client in (first, other))  # type: ignore[arg-type]
    for client in (first, other):
        client.close()


def test_every_column_on_a_shard_has_a_comment_and_the_text_view_gives_text_by_arrow(
    filled: list[EngineProcess],
) -> None:
    for engine in filled:
        client = user(engine, "query")
        lacking = "SELECT table, name FROM system.columns WHERE database = 'audit' AND comment = ''"
        assert client.query(lacking).result_rows == []
        table = client.query_arrow("SELECT event_id, outcome, kafka_topic_id FROM audit.log_text", use_strings=True)
        assert {str(field.type) for field in table.schema} == {"string"}
        assert set(table.column("kafka_topic_id").to_pylist()) == {str(TOPIC)}
        client.close()


@pytest.mark.parametrize("shard", [0, 1])
@pytest.mark.parametrize("table", ["log", "log_text", "events_all", "events"])
def test_a_row_policy_holds_through_the_view_and_on_both_shards(
    filled: list[EngineProcess], shard: int, table: str
) -> None:
    client = user(filled[shard], "analyst")
    seen = {one for (one,) in client.query(f"SELECT tenant_id FROM audit.{table}").result_rows}
    assert seen <= {"tenant-3"}
    assert seen or table == "events"  # the tenant's rows are on the other shard
    client.close()


@pytest.mark.parametrize(
    "sql", ["INSERT INTO audit.events_all (tenant_id) VALUES ('x')", "SELECT * FROM audit.settings_all"]
)
def test_a_role_is_equally_restricted_through_the_distributed_table(filled: list[EngineProcess], sql: str) -> None:
    client = user(filled[0], "analyst")
    with pytest.raises(Exception, match="497"):
        client.command(sql)
    client.close()


def test_a_backup_is_restored_unchanged(filled: list[EngineProcess]) -> None:
    for engine in filled:
        client = user(engine, "init")
        count = "SELECT count(), uniqExact(event_id), sum(cityHash64(*)) FROM audit.events"
        before = client.query(count).result_rows
        client.command("BACKUP TABLE audit.events TO Disk('backups', 'events')")
        client.command("TRUNCATE TABLE audit.events")
        client.command(
            "RESTORE TABLE audit.events FROM Disk('backups', 'events') SETTINGS allow_non_empty_tables = true"
        )
        assert client.query(count).result_rows == before
        client.close()


def test_the_version_of_serves_last_start_is_found_on_the_other_shard(filled: list[EngineProcess]) -> None:
    """A worker reads only its own shard, which contains its own events."""
    columns = ["tenant_id", "occurred_at", "event_id", "action", "resource_id", "source", "metadata"]
    for engine, service in zip(filled, ("serve", "worker"), strict=True):
        client = user(engine, "init")
        start = ["_auditlane", NOW, uuid4(), "service.started", service, "auditlane", {"version": "1.0.0"}]
        client.insert("events", [start], column_names=columns, database="audit")
        client.close()
    after = NOW + timedelta(hours=1)
    for engine in filled:
        client = user(engine, "query")
        assert last_started_version(client, "audit", "serve", before=after, table="log") == "1.0.0"
        client.close()
    client = user(filled[1], "worker")
    assert last_started_version(client, "audit", "worker", before=after, table="events") == "1.0.0"
    assert last_started_version(client, "audit", "serve", before=after, table="events") is None
    client.close()


def test_a_followed_tenants_news_are_found_on_any_shard(filled: list[EngineProcess]) -> None:
    account = {"clickhouse_user": "query", "clickhouse_password": PASSWORDS["query"]}
    reader = Reader(load(clickhouse_url=filled[0].url, clickhouse_database="audit", **account))
    poller, client, place = Poller(reader.executor, "audit"), user(filled[0], "init"), (str(TOPIC), 1, 202603)
    tenants, at = [f"followed-{number}" for number in range(9)], int(NOW.timestamp() * 1_000_000)
    assert poller.poll(tenants).news == {}
    for look in range(2):
        rows = [row(tenant, uuid4(), 100 * look + number) for number, tenant in enumerate([*tenants, "other"])]
        for values in rows:
            values[COLUMNS.index("ingested_at")], values[COLUMNS.index("kafka_partition")] = datetime.now(UTC), 1
        settings = {"distributed_foreground_insert": 1, "insert_deduplication_token": f"look {look}"}
        client.insert("events_all", rows, column_names=COLUMNS, database="audit", settings=settings)
        assert poller.poll(tenants).news == dict.fromkeys(tenants, News({place}, (at, at)))
        assert poller.poll(tenants).news == {}
    client.close()
    reader.close()
