"""Tests reading the view `log_text` through Arrow. It contains the same events as the view `log`, with text in place of
numbers and bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from querying import START, TOPIC_ID, Store, event, store

ADDRESSES = {"192.0.2.1": "192.0.2.1", "2001:db8::ffff:1": "2001:db8::ffff:1", "::ffff:7": "::255.255.0.7"}
TEXTS = ("event_id", "outcome", "severity", "ip", "kafka_topic_id", "provenance", "content_hash")


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        rows = [
            event(
                number, ip=address, outcome="denied", severity="High", provenance="gateway", metadata={"region": "eu"}
            )
            for number, address in enumerate([*ADDRESSES, None])
        ]
        made.add(rows)
        made.add(rows[:1])  # a copy
        made.add([event(9, "globex")])
        yield made


@pytest.fixture(scope="module")
def table(filled: Store) -> pa.Table:
    sql = f"SELECT * FROM {filled.database}.log_text WHERE tenant_id = 'acme' ORDER BY kafka_offset"
    return filled.client.query_arrow(sql, use_strings=True)


def test_enums_ids_and_addresses_are_text(table: pa.Table) -> None:
    assert {name: str(table.schema.field(name).type) for name in TEXTS} == dict.fromkeys(TEXTS, "string")
    assert table.column("ip").to_pylist() == [*ADDRESSES.values(), None]
    first = table.slice(0, 1).to_pylist()[0]
    assert first["event_id"] == str(event(0)["event_id"])
    assert (first["outcome"], first["severity"], first["provenance"]) == ("denied", "High", "gateway")
    assert first["kafka_topic_id"] == str(TOPIC_ID)
    assert first["occurred_at"] == START
    assert first["metadata"] == [("region", "eu")]


def test_it_has_the_columns_and_rows_of_the_log(filled: Store, table: pa.Table) -> None:
    log = filled.client.query(
        f"SELECT *, lower(hex(content_hash)) AS hash FROM {filled.database}.log WHERE tenant_id = 'acme' "
        "ORDER BY kafka_offset"
    )
    assert (*table.column_names, "hash") == log.column_names
    assert table.num_rows == log.row_count == len(ADDRESSES) + 1
    assert table.column("content_hash").to_pylist() == [row[-1] for row in log.result_rows]


def test_a_filter_by_tenant_and_time_uses_the_primary_key(filled: Store) -> None:
    plan = filled.client.query(
        f"EXPLAIN indexes = 1 SELECT count() FROM {filled.database}.log_text "
        f"WHERE tenant_id = 'acme' AND occurred_at >= '2026-03-01' AND outcome = 'denied'"
    )
    text = "\n".join(row[0] for row in plan.result_rows)
    assert "PrimaryKey" in text
    assert "(tenant_id in ['acme', 'acme'])" in text
    assert "occurred_at in [" in text


@pytest.mark.parametrize("library", ["pandas", "polars", "duckdb"])
def test_the_table_can_be_read_by(library: str, table: pa.Table) -> None:
    module = pytest.importorskip(library)
    if library == "pandas":
        outcomes, addresses = (table.to_pandas()[name].tolist() for name in ("outcome", "ip"))
    elif library == "polars":
        outcomes, addresses = (module.from_arrow(table)[name].to_list() for name in ("outcome", "ip"))
    else:
        rows = module.connect().from_arrow(table).project("outcome, ip").fetchall()
        outcomes, addresses = zip(*rows, strict=True)
    assert set(outcomes) == {"denied"}
    assert list(addresses)[:3] == list(ADDRESSES.values())


def test_the_documented_program_reads_the_log(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
    [program] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for name, value in (("URL", filled.settings.clickhouse_url), ("USER", "default"), ("PASSWORD", "")):
        monkeypatch.setenv(f"AUDITLANE_CLICKHOUSE_{name}", value)
    program = program.replace("audit.log_text", f"{filled.database}.log_text").replace(
        "now()", "toDateTime('2026-03-02')"
    )
    names: dict[str, Any] = {}
    exec(program, names)
    names["client"].close()
    assert names["events"].column("outcome").to_pylist() == ["denied"] * (len(ADDRESSES) + 1)
