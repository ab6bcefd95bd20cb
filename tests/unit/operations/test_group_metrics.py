"""Tests the metrics of the consumer group: sums per topic, open dead letters per code, and exactly the listed names."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from auditlane.contract.dead_letter import State
from auditlane.contract.partition import Partition
from auditlane.contract.reject_codes import RejectCode
from auditlane.operations.dlq.followed import OpenLetters, open_letters
from auditlane.operations.dlq.index import Count
from auditlane.operations.group_metrics import GroupMetrics, TopicLag, by_topic
from auditlane.operations.lag import PartitionLag
from auditlane.runtime.metrics import exposed_by

TOPIC = "audit.events"
ROW = PartitionLag(Partition("audit.events", 0), 10, 15, lag=5, lost=2, age_s=8.0, member="w1")
ROWS = [
    ROW,
    replace(ROW, partition=Partition("audit.events", 1), lag=0, lost=0, age_s=None, member=""),
    replace(ROW, partition=Partition("audit.events.acme", 0), failing_s=90.0, member="w2"),
]
LETTER = Count("NOT_FRAMED", "acme", State.open, 3, 5_000, 9_000)


def exposed(metrics: GroupMetrics) -> dict[str, dict[tuple[str, ...], float]]:
    registry = CollectorRegistry()
    registry.register(metrics)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {one.name: {tuple(sample.labels.values()): sample.value for sample in one.samples} for one in families}


def test_partitions_are_summed_without_naming_a_dedicated_tenant() -> None:
    assert by_topic(ROWS, TOPIC) == {
        "audit.events": TopicLag(partitions=2, unassigned=1, failing=0, lag=5, age_s=8.0, lost=2),
        "audit.events.*": TopicLag(partitions=1, unassigned=0, failing=1, lag=5, age_s=8.0, lost=2),
    }


def test_open_letters_are_counted_by_known_codes() -> None:
    found = open_letters([LETTER, replace(LETTER, tenant="globex", first_ms=4_000), replace(LETTER, code="NEWER")])
    assert found.oldest_ms == 4_000
    assert found.by_code == dict.fromkeys(map(str, RejectCode), 0) | {"NOT_FRAMED": 6, "other": 3}
    assert open_letters([]).oldest_ms is None


def test_exactly_the_listed_metrics_are_exposed() -> None:
    metrics = GroupMetrics(TOPIC)
    metrics.read_lag(ROWS)
    metrics.read_letters(open_letters([LETTER]))
    listed = {name for name in exposed_by("lag") if name.startswith(("auditlane_group_", "auditlane_dead_letters_"))}
    assert exposed(metrics).keys() == listed


def test_the_last_values_remain_while_a_reading_fails() -> None:
    metrics = GroupMetrics(TOPIC)
    assert not metrics.is_up("lag")
    metrics.read_lag(ROWS)
    metrics.read_letters(None)  # some dead letters have not been read yet
    metrics.failed("lag")
    found = exposed(metrics)
    assert found["auditlane_group_up"] == {("lag",): 0}
    assert found["auditlane_group_members"] == {(): 2}
    assert found["auditlane_group_lag_records"] == {("audit.events",): 5, ("audit.events.*",): 5}
    assert found["auditlane_group_unassigned_partitions"] == {("audit.events",): 1, ("audit.events.*",): 0}
    assert "auditlane_dead_letters_open" not in found


def test_no_open_letter_has_no_age() -> None:
    metrics = GroupMetrics(TOPIC)
    metrics.read_letters(OpenLetters({"NOT_FRAMED": 0}, None))
    assert exposed(metrics)["auditlane_dead_letters_oldest_seconds"] == {(): 0}
