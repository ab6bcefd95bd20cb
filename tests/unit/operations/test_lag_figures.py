"""Tests that lag per partition is computed from offsets and timestamps alone."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from auditlane.cli.lag import age, table
from auditlane.contract.intent import Intent, OpenCircuit
from auditlane.contract.partition import Partition
from auditlane.operations.consumer_group import name
from auditlane.operations.lag import PartitionFacts, PartitionLag, Total, document, partition_lag, total

AT = Partition("audit.events", 3)


def test_a_failing_range_is_reported_from_its_workers_note() -> None:
    note = Intent("id", 3, 9, "digest", 70_000, failing_ms=10_000, error="ClickHouse: [too] many parts").encode()
    row = line(metadata=note, now_ms=75_000)
    assert (row.failing_s, row.error) == (65.0, "ClickHouse: [too] many parts")
    for metadata in ("", "{", Intent("id", 3, 9, "digest", 70_000).encode(), '{"v":9,"topic":"id"}'):
        assert (line(metadata=metadata).failing_s, line(metadata=metadata).error) == (None, "")


def line(*, now_ms: int = 9_000, **overrides: Any) -> PartitionLag:
    facts = {"committed": 10, "low": 0, "end": 15, "oldest_ms": 4_000, "member": "w/1"} | overrides
    facts.setdefault("first", max(facts["committed"] or 0, facts["low"]))
    return partition_lag(PartitionFacts(AT, **facts), now_ms=now_ms)


@pytest.mark.parametrize(
    ("overrides", "lag", "lost", "age_s"),
    [
        ({}, 5, 0, 5.0),
        ({"committed": 15, "oldest_ms": None}, 0, 0, None),
        ({"committed": 15, "oldest_ms": 4_000}, 0, 0, None),  # the range was completed during the read
        ({"committed": None}, 15, 0, 5.0),
        ({"committed": None, "low": 12}, 3, 0, 5.0),
        ({"committed": None, "low": 2, "first": 15}, 0, 0, None),  # a new group: the whole partition counts
        ({"committed": 10, "low": 12}, 3, 2, 5.0),  # Kafka deleted unread messages
        ({"committed": 20}, 0, 0, None),  # the log was truncated
        ({"oldest_ms": 9_500}, 5, 0, 0.0),  # this process's clock is behind Kafka's
        ({"oldest_ms": None}, 5, 0, None),  # the timestamp did not arrive in time
    ],
)
def test_lag_loss_and_age_follow_from_a_partitions_offsets(
    overrides: dict[str, Any], lag: int, lost: int, age_s: float | None
) -> None:
    found = line(**overrides)
    assert (found.lag, found.lost, found.age_s) == (lag, lost, age_s)


def test_lag_without_a_worker_is_abandoned() -> None:
    assert line(member="").abandoned
    assert not line(member="", committed=15).abandoned
    assert not line().abandoned


def test_the_total_has_the_figures_for_alerts() -> None:
    rows = [line(), line(oldest_ms=1_000), line(member="", low=12), line(committed=15)]
    assert total(rows) == Total(lag=13, age_s=8.0, abandoned=1, lost=2)
    assert total([]) == Total(0, 0.0, 0, 0)


def test_the_table_and_the_document_agree() -> None:
    intent = Intent("id", 10, 14, "x", failing_ms=1_000, error="refused", circuit=OpenCircuit("FIELD_RULE", 4))
    rows = [line(), line(member="", low=12, metadata=intent.encode())]
    out = io.StringIO()
    Console(width=120, file=out).print(table("g", rows))
    text = out.getvalue()
    assert "audit.events[3]" in text
    assert "none  2 deleted" in text
    assert "2 deleted before being read" in text
    parsed = json.loads(json.dumps(document("g", rows)))
    assert parsed["lag"] == 8
    assert parsed["partitions"][1] == {
        "topic": "audit.events", "partition": 3, "committed": 10, "end": 15, "lag": 3, "lost": 2, "age_s": 5.0,
        "member": "", "abandoned": True, "failing_s": 8.0, "error": "refused",
        "circuit": {"code": "FIELD_RULE", "rejected": 4},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("client", "member_id", "shown"),
    [
        ("auditlane-worker", "Zm9vYmFyYmF6cXV4", "auditlane-worker/192.168.100.100 Zm9vYm"),
        ("auditlane-worker", "auditlane-worker-6f9619ff-8b86", "auditlane-worker/192.168.100.100 6f9619"),
    ],
)
def test_a_line_fits_a_terminal_of_eighty_columns(client: str, member_id: str, shown: str) -> None:
    member = name(SimpleNamespace(client_id=client, host="/192.168.100.100", member_id=member_id))
    assert member == shown
    rows = [line(member=member, committed=9_000_000 + at, end=9_123_456) for at in range(3)]
    out = io.StringIO()
    Console(width=80, file=out).print(table("g", rows))
    assert len(out.getvalue().splitlines()) == 2 + len(rows) + 1
    assert shown.partition("/")[2] in out.getvalue()


def test_ages_have_one_unit() -> None:
    assert [age(one) for one in (0.44, 12, 300, 11_520, 181_440)] == ["0.4 s", "12 s", "5 min", "3.2 h", "2.1 d"]
