"""The examples in docs/sql.md run, and its table of columns matches the view."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from querying import Store, event, store

TEXT = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
EXAMPLES = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    now = datetime.now(UTC)
    with store(clickhouse) as made:
        made.add(
            [
                event(
                    number,
                    occurred_at=now - timedelta(minutes=number),
                    ingested_at=now,
                    action="user.login_failed",
                    outcome="failure",
                    severity="High",
                    ip="192.0.2.1",
                    resource_id="d-99",
                    before='{"title": "old"}',
                    after='{"title": "new"}',
                    metadata={"region": "eu"},
                    fields={"invoice_total": "99.5"},
                )
                for number in range(10)
            ]
        )
        made.add(
            [
                event(
                    0,
                    occurred_at=now,
                    ingested_at=now,
                    action="user.login_failed",
                    description="another of the same id",
                )
            ]
        )
        yield made


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda sql: sql.split("\n", 1)[0][:40])
def test_each_documented_query_runs_and_finds_its_values(filled, example):
    found = filled.client.query(example.replace("audit.log", f"{filled.database}.log"))
    assert found.row_count > 0
    row = dict(zip(found.column_names, found.result_rows[0], strict=True))
    expected = {"address": "192.0.2.1", "region": "eu", "total": 99.5, "was": "old", "is_now": "new", "key": "region"}
    assert {name: row[name] for name in expected if name in row} == {n: v for n, v in expected.items() if n in row}


def test_the_table_of_columns_matches_the_view(filled):
    described = re.findall(r"^\| (`.*?) \|", TEXT, re.MULTILINE)
    names = [name for cell in described for name in re.findall(r"`(\w+)`", cell)]
    columns = filled.client.query(f"DESCRIBE TABLE {filled.database}.log").result_rows
    assert set(names) == {row[0] for row in columns}
