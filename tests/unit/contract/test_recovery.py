from __future__ import annotations

import pytest

from auditlane.contract.intent import Intent
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts, StartDecision, StoredOffsetsSummary, decide_start, wants_store

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
    ("what", "offset"),
    [
        (found(7, Intent(HERE)), 7),
        (found(7, "by hand"), 7),
        (found(100, Intent(HERE)), 100),
        (found(7, Intent(HERE, 7, 9, "d")), 7),
        (found(None, stored=StoredOffsetsSummary(None)), 0),
        (found(None, stored=StoredOffsetsSummary(None), low=5), 5),
        (found(None, low=5), 5),  # the store did not respond
        (found(None, stored=StoredOffsetsSummary(41)), 42),
        (found(None, stored=StoredOffsetsSummary(41, first_gap=30)), 30),
        (found(7, Intent(OTHER), stored=StoredOffsetsSummary(None)), 0),  # the topic has been recreated
        (found(7, Intent(OTHER), stored=StoredOffsetsSummary(12)), 13),
    ],
)
def test_where_a_worker_begins(what: AssignmentFacts, offset: int) -> None:
    begin = decide_start(what)
    assert (begin.offset, begin.halt) == (offset, "")


def test_a_pending_range_is_rebuilt() -> None:
    intent = Intent(HERE, 7, 9, "d")
    assert decide_start(found(7, intent)) == StartDecision(7, rebuild=intent)


@pytest.mark.parametrize(
    ("what", "because"),
    [
        (found(7, Intent(HERE), low=8), "offsets 7-7 were not stored and Kafka no longer holds them"),
        (found(101, Intent(HERE)), "the log ends at 100"),
        (found(7, Intent(HERE, 7, 9, "d"), low=8), "offsets 7-7 were not stored"),
        (found(98, Intent(HERE, 98, 100, "d")), "offsets 98-100 are pending but the log ends at 100"),
        (found(7, Intent(HERE), low=8), "stop the workers and run `auditlane accept-loss t 0 --to 8`"),
        (found(None, stored=StoredOffsetsSummary(41), low=50), "`auditlane accept-loss t 0 --to 50`"),
        (found(7, Intent(OTHER, 7, 9, "d"), low=3), "`auditlane accept-loss t 0 --to 3`"),
        (found(7, '{"v":9,"topic":"t"}'), "`auditlane accept-loss t 0 --to 7`"),
        (found(6, Intent(HERE, 7, 9, "d")), "`auditlane accept-loss t 0 --to 6`"),
        (found(101, Intent(HERE)), "docs/operate/workers.md, A truncated log"),
        (found(6, Intent(HERE, 7, 9, "d")), "its intent begins at 7"),
        (found(7, Intent(OTHER, 7, 9, "d")), "pending when the topic was deleted"),
        (found(7, '{"v":9,"topic":"t"}'), "run the auditlane version that wrote it"),
        (found(None, stored=StoredOffsetsSummary(41), low=50), "offsets 42-49 were not stored"),
        (found(None, stored=StoredOffsetsSummary(200)), "offset 200 is stored but the log ends at 100"),
    ],
)
def test_positions_that_would_lose_events_halt(what: AssignmentFacts, because: str) -> None:
    assert because in decide_start(what).halt


def test_the_store_is_queried_only_when_it_decides() -> None:
    assert wants_store(None, "", HERE)
    assert wants_store(7, Intent(OTHER).encode(), HERE)
    assert not wants_store(7, Intent(HERE).encode(), HERE)
    assert not wants_store(7, Intent(HERE, 7, 9, "d").encode(), HERE)
    assert not wants_store(7, "", HERE)
    assert not wants_store(7, '{"v":9,"topic":"t"}', HERE)
