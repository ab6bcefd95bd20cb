"""Tests standard clients with the embedded ClickHouse, over HTTP and over the native protocol."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import ErrorCodes, ServerException
from fixtures.clickhouse import EngineProcess

from auditlane.runtime.settings import load
from auditlane.store.client import connect


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    made = EngineProcess(tmp_path_factory.mktemp("engine") / "clickhouse")
    yield made
    made.stop()


@pytest.fixture
def native(engine: EngineProcess) -> Iterator[Client]:
    host, port = engine.native
    with Client(host, port=port) as client:
        yield client


def test_each_protocol_reads_the_others_rows(engine: EngineProcess, native: Client) -> None:
    native.execute(
        "CREATE TABLE both (a UInt32, s Nullable(String), t DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY a"
    )
    at = datetime(2026, 3, 1, 12, 30, 0, 125_000, tzinfo=UTC)
    assert native.execute("INSERT INTO both VALUES", [(1, "x", at), (2, None, at)]) == 2
    http = connect(load(clickhouse_url=engine.url))
    http.insert("both", [[3, "é", at]], column_names=["a", "s", "t"])
    expected = [(1, "x", at), (2, None, at), (3, "é", at)]
    assert native.execute("SELECT a, s, t FROM both ORDER BY a") == expected
    assert http.query("SELECT a, s FROM both ORDER BY a").result_rows == [row[:2] for row in expected]
    http.close()


def test_a_large_insert_and_a_stream_over_the_native_protocol(native: Client) -> None:
    native.execute("CREATE TABLE large (n UInt64, s String) ENGINE = MergeTree ORDER BY n")
    native.execute("INSERT INTO large VALUES", [[n, str(n)] for n in range(200_000)])
    rows = native.execute_iter("SELECT n, s FROM large ORDER BY n", settings={"max_block_size": 10_000})
    assert sum(int(n) == int(s) for n, s in rows) == 200_000


def test_errors_come_from_clickhouse_unchanged(native: Client) -> None:
    with pytest.raises(ServerException) as caught:
        native.execute("SELECT * FROM nothing_such")
    assert caught.value.code == ErrorCodes.UNKNOWN_TABLE
    assert native.execute("SELECT 1") == [(1,)]


def test_a_session_keeps_settings_and_temporary_tables(engine: EngineProcess) -> None:
    client = connect(load(clickhouse_url=engine.url), session_id=uuid.uuid4().hex)
    client.command("CREATE TEMPORARY TABLE kept (a UInt8)")
    client.command("SET max_threads = 3")
    client.insert("kept", [[7]], column_names=["a"])
    assert client.query("SELECT a, getSetting('max_threads') FROM kept").result_rows == [(7, 3)]
    client.close()


def test_arrow_tables_can_be_inserted_and_queried(engine: EngineProcess) -> None:
    client = connect(load(clickhouse_url=engine.url))
    table = pa.table({"a": pa.array(range(100_000), pa.uint32()), "s": ["x" * 20] * 100_000})
    client.command("CREATE TABLE arrow (a UInt32, s String) ENGINE = MergeTree ORDER BY a")
    client.insert_arrow("arrow", table)
    assert client.query_arrow("SELECT a FROM arrow ORDER BY a").column("a") == table.column("a")
    client.close()


def test_the_query_log_has_the_query_under_its_own_id(engine: EngineProcess) -> None:
    client = connect(load(clickhouse_url=engine.url))
    client.query("SELECT 4711", settings={"query_id": "mine"})
    client.command("SYSTEM FLUSH LOGS")
    found = "SELECT count() FROM system.query_log WHERE query_id = 'mine' AND type = 'QueryFinish'"
    assert client.query(found).result_rows == [(1,)]
    client.close()
