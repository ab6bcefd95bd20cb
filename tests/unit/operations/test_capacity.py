"""Tests the capacity estimate: the formulas, the limits that lead to a note, and the command's input and output."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from auditlane.cli.app import app
from auditlane.cli.capacity import amount, days, large, size
from auditlane.operations.capacity import SHARD_RATE, Demand, estimate, warnings
from auditlane.runtime.errors import InvalidInput

SMALL = Demand(rate=10_000, tenants=100, retention_days=30)


def test_a_small_load_needs_one_shard_and_a_spare_worker() -> None:
    needs = estimate(SMALL)
    assert (needs.shards, needs.workers, needs.partitions, needs.ingest_processes) == (1, 2, 24, 0)
    assert needs.parts_per_second * needs.workers == 8
    assert needs.events_per_month == 10_000 * 86_400 * 30
    assert needs.clickhouse_bytes_of_replica == needs.events_per_month * 135
    assert needs.clickhouse_bytes == 3 * needs.clickhouse_bytes_of_replica
    assert needs.kafka_bytes == 10_000 * 86_400 * 7 * 223 * 3
    assert needs.worker_cores == pytest.approx(0.049)


@pytest.mark.parametrize(("rate", "shards"), [(1, 1), (SHARD_RATE, 1), (SHARD_RATE + 1, 2), (10 * SHARD_RATE, 10)])
def test_shards_follow_from_the_rate(rate: float, shards: int) -> None:
    assert estimate(replace(SMALL, rate=rate)).shards == shards


def test_an_estimate_never_shrinks_with_the_load() -> None:
    rates = [10**exponent * step for exponent in range(7) for step in (1, 2, 5)]
    found = [estimate(replace(SMALL, rate=float(rate))) for rate in rates]
    for name in ("shards", "kafka_bytes", "clickhouse_bytes"):
        values = [getattr(one, name) for one in found]
        assert values == sorted(values), name
    totals = [one.workers * one.shards for one in found]
    assert totals == sorted(totals)
    assert all(one.worker_cores <= one.workers * 0.37 for one in found)


def test_events_over_http_need_ingest_processes_and_more_of_the_workers() -> None:
    direct, posted = (estimate(replace(SMALL, rate=50_000, over_http=part)) for part in (0.0, 1.0))
    assert posted.ingest_cores == pytest.approx(2.0)
    assert posted.ingest_processes == 5
    assert posted.worker_cores > 2 * direct.worker_cores
    assert posted.registry_requests == 6 * direct.registry_requests


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rate": 501.0}, "merges into one part"),
        ({"rate": 200_000.0}, "own topic"),
        ({"tenants": 7_000}, "AUDITLANE_REGISTRY_REFRESH_S"),
        ({"tenants": 9_000}, "8,192 tenants"),
        ({"kafka_days": 1.0}, "AUDITLANE_TOPIC_RETENTION_HOURS"),
    ],
)
def test_each_limit_that_is_passed_is_noted(changes: dict[str, float], words: str) -> None:
    quiet = replace(SMALL, rate=500.0)
    assert warnings(quiet, estimate(quiet)) == []
    demand = replace(quiet, **changes)
    assert any(words in note for note in warnings(demand, estimate(demand)))


@pytest.mark.parametrize(("text", "value"), [("800", 800), ("10k", 10_000), ("1.5M", 1_500_000), (" 2 ", 2)])
def test_rates_are_parsed(text: str, value: float) -> None:
    assert amount(text, "--rate") == value


@pytest.mark.parametrize(("text", "value"), [("90d", 90), ("13m", 390), ("2y", 730), ("1.5d", 1.5)])
def test_periods_are_parsed(text: str, value: float) -> None:
    assert days(text, "--retention") == value


@pytest.mark.parametrize("text", ["", "0", "0k", "-1", "10x", "1e3", "1G", "inf", "nan", "101M", "9" * 400])
def test_other_rates_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        amount(text, "--rate")
    assert (caught.value.field, "1.5M" in caught.value.fix) == ("--rate", True)


@pytest.mark.parametrize("text", ["", "90", "0d", "d", "-1d", "1w", "101y", "1d2m"])
def test_other_periods_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a period"):
        days(text, "--retention")


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (999.6, "1.0 kB"), (4.05e12, "4.0 TB"), (26.4e15, "26 PB"), (1e21, "1000 EB")],
)
def test_sizes_are_readable(count: float, shown: str) -> None:
    assert size(count) == shown
    assert large(0) == "0"


def test_the_command_prints_settings_and_as_json_every_figure() -> None:
    given = ["capacity", "--rate", "250k", "--tenants", "20000", "--retention", "400d", "--over-http", "0.3"]
    shown = CliRunner().invoke(app, given)
    assert shown.exit_code == 0
    assert "AUDITLANE_WORKER_PROCESSES_TOTAL=3" in shown.output
    assert "note" in shown.output
    document = json.loads(CliRunner().invoke(app, [*given, "--json"]).output)
    assert document["demand"]["retention_days"] == 400
    assert document["estimate"]["shards"] == 3
    assert len(document["warnings"]) == 2
