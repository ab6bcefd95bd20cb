"""Tests where a group resumes after an accepted loss. It never resumes beyond Kafka's end or below stored rows, and no
message is stored twice.
"""

from __future__ import annotations

import pytest

from auditlane.contract.intent import Intent
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts, StartDecision, StoredOffsetsSummary, decide_start
from auditlane.operations.accept_loss import plan
from auditlane.runtime.errors import ConfigError, Conflict

HERE, OTHER = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"


def found(
    committed: int | None,
    intent: Intent | str = "",
    *,
    low: int = 0,
    high: int = 100,
    stored: StoredOffsetsSummary | None = None,
) -> AssignmentFacts:
    metadata = intent if isinstance(intent, str) else intent.encode()
    return AssignmentFacts(Partition("t", 0), HERE, committed, metadata, low, high, stored)


@pytest.mark.parametrize(
    ("what", "to", "highest", "given_up", "recheck_below"),
    [
        (found(7, Intent(HERE), low=30), 30, 6, 23, 100),
        (found(7, Intent(HERE, 7, 40, "d"), low=30), 30, 35, 23, 100),  # part of the pending range is still in Kafka
        (found(None, stored=StoredOffsetsSummary(41), low=50), 50, 41, 8, 100),
        (found(None, stored=StoredOffsetsSummary(41, first_gap=20), low=50), 50, 41, 30, 100),
        (found(None, low=50), 50, None, 0, 100),
        (found(900, Intent(HERE)), 100, 99, 0, 900),  # truncated, and its rows have been moved aside
        (found(98, Intent(HERE, 98, 120, "d")), 98, 97, 0, 121),
        (found(7, Intent(OTHER, 7, 9, "d"), low=3), 3, None, 0, 100),  # the topic has been recreated
        (found(7, '{"v":9,"topic":"t"}'), 7, 20, 0, 100),
        (found(6, Intent(HERE, 7, 9, "d")), 6, 5, 0, 100),
        (found(7, "by hand", low=30), 30, None, 23, 100),
    ],
)
def test_a_worker_then_begins_there_and_compares_what_may_be_stored(
    what: AssignmentFacts, to: int, highest: int | None, given_up: int, recheck_below: int
) -> None:
    assert decide_start(what).halt or what.committed is None or what.metadata == "by hand"
    loss = plan(what, to, highest=highest, at_ms=5)
    assert loss.offsets == given_up
    after = AssignmentFacts(what.partition, HERE, to, loss.metadata, what.low, what.high)
    assert decide_start(after) == StartDecision(to, recheck_below=recheck_below)


@pytest.mark.parametrize(
    ("what", "to", "says"),
    [
        (found(7, Intent(HERE), low=30), 29, "starts at offset 30"),
        (found(7, Intent(HERE), low=30), 101, "ends before 100"),
        (found(7, Intent(HERE), low=30), 31, "Kafka still holds offsets 30-30"),
        (found(7, Intent(HERE)), 9, "Kafka still holds offsets 7-8"),
        (found(None, low=30, stored=StoredOffsetsSummary(None)), 40, "Kafka still holds offsets 30-39"),
    ],
)
def test_offsets_that_cannot_be_resumed_at(what: AssignmentFacts, to: int, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        plan(what, to, highest=None, at_ms=5)
    assert caught.value.field == "--to"


@pytest.mark.parametrize(
    ("what", "to", "highest", "says"),
    [
        (found(900, Intent(HERE)), 100, 899, "rows with offsets 100-899"),
        # These offsets now belong to other messages.
        (found(98, Intent(HERE, 98, 99, "d")), 98, 99, "rows with offsets 98-99"),
    ],
)
def test_rows_at_offsets_that_kafka_reuses_are_moved_aside_first(
    what: AssignmentFacts, to: int, highest: int, says: str
) -> None:
    with pytest.raises(Conflict, match=says) as caught:
        plan(what, to, highest=highest, at_ms=5)
    assert "a-truncated-log" in caught.value.fix
