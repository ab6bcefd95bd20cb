"""Tests the cluster's SQL on a real engine. It can be parsed, and the folded statements create the same tables as the
migrations run in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.cluster import statements
from auditlane.store.fold import fold
from auditlane.store.migrate import Migration, known, run

# Changes that later releases may make to this release's tables.
LATER = Migration(
    9_001,
    "9001_later.sql",
    """
    ALTER TABLE {database}.events ADD COLUMN IF NOT EXISTS note String DEFAULT 'a, (b' CODEC(ZSTD(1)) AFTER action,
        ADD COLUMN IF NOT EXISTS region LowCardinality(String) COMMENT 'where, if known',
        ADD INDEX IF NOT EXISTS noted note TYPE bloom_filter(0.01) GRANULARITY 4;
    ALTER TABLE {database}.events MODIFY SETTING min_age_to_force_merge_seconds = 86400,
        non_replicated_deduplication_window = 50000;
    ALTER TABLE {database}.events DROP INDEX IF EXISTS ingested;
    ALTER TABLE {database}.link_claims MODIFY TTL expires_at + INTERVAL 2 DAY;
    ALTER TABLE {database}.settings MODIFY COLUMN changed_by LowCardinality(String) DEFAULT 'nobody'
        COMMENT 'Author, if known';
    CREATE TABLE IF NOT EXISTS {database}.daily (day Date, events UInt64) ENGINE = MergeTree ORDER BY day;
    ALTER TABLE {database}.daily ADD COLUMN IF NOT EXISTS tenant_id String FIRST;
    CREATE OR REPLACE VIEW {database}.log AS SELECT tenant_id, note, region FROM {database}.events FINAL
    """,
)


@pytest.fixture
def client(clickhouse: str, unique: str) -> Iterator[Client]:
    made = connect(load(clickhouse_url=clickhouse))
    yield made
    for suffix in ("chain", "folded"):
        made.command(f"DROP DATABASE IF EXISTS {unique}_{suffix}")
    made.close()


def form(client: Client, database: str) -> dict[str, object]:
    """Return the definitions of a database's tables by name, from SHOW CREATE with sorted settings."""
    tables = [row[0] for row in client.query(f"SHOW TABLES FROM {database}").result_rows]
    form_: dict[str, object] = {}
    for table in tables:
        [[text]] = client.query(f"SHOW CREATE TABLE {database}.{table}").result_rows
        head, _, settings = str(text).replace(f"{database}.", "").rpartition("\nSETTINGS ")
        form_[table] = head, sorted(re.split(r", (?=\w+ = )", settings))
    form_["columns"] = client.query(
        "SELECT table, position, name, type, default_kind, default_expression, comment, compression_codec "
        f"FROM system.columns WHERE database = '{database}' ORDER BY table, position"
    ).result_rows
    form_["indexes"] = client.query(
        f"SELECT * EXCEPT (database, data_compressed_bytes, data_uncompressed_bytes) "
        f"FROM system.data_skipping_indices WHERE database = '{database}' ORDER BY table, name"
    ).result_rows
    return form_


@pytest.mark.parametrize("later", [[], [LATER]], ids=["this release", "later"])
def test_the_folded_form_equals_the_migrated_tables(client: Client, unique: str, later: list[Migration]) -> None:
    chain = [statement for one in [*known(), *later] for statement in one.statements("{database}")]
    for suffix, sql in (("chain", chain), ("folded", fold(chain))):
        client.command(f"CREATE DATABASE {unique}_{suffix}")
        for statement in sql:
            run(client, statement.replace("`{database}`", f"`{unique}_{suffix}`"))
    made = form(client, f"{unique}_folded")
    assert made == form(client, f"{unique}_chain")
    assert {"events", "settings", "link_claims", "log", "columns", "indexes"} <= made.keys()
    for statement in fold(chain):  # can be repeated
        run(client, statement.replace("`{database}`", f"`{unique}_folded`"))
    assert form(client, f"{unique}_folded") == made


def test_clickhouse_parses_every_statement_of_the_cluster_form(client: Client) -> None:
    for statement in statements("audit", "main", one_server=True):
        assert client.raw_query(f"EXPLAIN AST {statement}", fmt="TSVRaw").startswith(b"Create"), statement
    for statement in statements("audit", "main"):
        [[text]] = client.query("SELECT formatQuery({given:String})", parameters={"given": statement}).result_rows
        assert "ON CLUSTER main" in str(text).replace("`", "")
