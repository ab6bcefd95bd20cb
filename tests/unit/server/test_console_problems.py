"""Tests which problems the console reports, and that each report says what to do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auditlane.observe.history import COLUMNS, Columns
from auditlane.server.admin.models import DeadLetters, Health, Lag
from auditlane.server.admin.models import PartitionLag as Partition
from auditlane.server.pages.console.page_model import Board, Section
from auditlane.server.pages.console.problems import Problem, partition_problem, problems

LATE_S = 60.0
WELL: dict[str, Any] = {
    "topic": "audit.events", "partition": 3, "committed": 100, "end": 100, "lag": 0, "lost": 0, "age_s": None,
    "member": "w-1", "abandoned": False,
}  # fmt: skip
NO_LETTERS = {
    "complete": True, "read": 0, "records": 0, "count": 0, "unrecognized_records": 0, "counts": [], "newest": [],
}  # fmt: skip


def board(**given: Any) -> Board:
    values: dict[str, Any] = {
        "health": Section(Health(healthy=True, parts=[])),
        "rate": Section(None),
        "lag": Section(
            Lag.model_validate({"group": "g", "lag": 0, "age_s": 0, "abandoned": 0, "lost": 0, "partitions": [WELL]})
        ),
        "dead_letters": Section(DeadLetters.model_validate(NO_LETTERS)),
        "history": Section(Columns(60, [], {name: [] for name in COLUMNS})),
        "timeline": Section([]),
        "span": "7d",
        "now": datetime(2030, 1, 1, tzinfo=UTC),
    }
    return Board(**(values | given))


def found(**given: Any) -> list[Problem]:
    every = problems(board(**given), late_s=LATE_S, disk_free_ratio=0.1)
    assert all(one.command or one.path for one in every)
    return every


def health(*parts: dict[str, Any], **more: Any) -> Section[Health]:
    return Section(Health.model_validate({"healthy": not parts, "parts": parts} | more))


def test_with_nothing_wrong_there_are_no_problems() -> None:
    assert found() == []
    well = [{"name": "kafka", "state": "up"}, {"name": "issuer", "state": "off"}]
    assert found(health=health(*well)) == []


@pytest.mark.parametrize(
    "name", ["clickhouse", "kafka", "registry", "workers", "keys", "signing-keys", "issuer", "trail", "canary"]
)
@pytest.mark.parametrize("state", ["away", "stale"])
def test_each_part_names_what_helps(name: str, state: str) -> None:
    [one] = found(health=health({"name": name, "state": state, "problem": "It is broken."}))
    assert (one.part, one.text, one.serious) == (name, "It is broken.", state == "away")
    assert one.command.startswith("auditlane ")


def test_a_reason_is_given_once_and_not_if_a_part_that_is_down_explains_it() -> None:
    kafka = {"name": "kafka", "state": "away", "problem": "Kafka is not responding."}
    unknown = Section(None, "The brokers did not respond.")
    sections = {"lag": unknown, "rate": unknown, "dead_letters": unknown}
    assert [one.part for one in found(health=health(kafka), **sections)] == ["kafka"]
    [one] = found(**sections)
    assert one.text == "The brokers did not respond."


@pytest.mark.parametrize(
    ("values", "shown", "command", "serious"),
    [
        ({"lost": 7}, "7 messages were deleted", "auditlane accept-loss audit.events 3 --to 107 --dry-run", True),
        ({"failing_s": 9.0, "circuit": {"code": "TOO_LARGE", "rejected": 9}}, "TOO_LARGE", "auditlane lag", True),
        ({"failing_s": 90.0, "error": "boom"}, "No progress for 90.0 s: boom", "auditlane doctor", True),
        ({"lag": 5, "member": "", "abandoned": True}, "No worker is assigned", "auditlane worker", True),
        ({"lag": 5, "age_s": 61.0}, "waited for 61.0 s", "auditlane lag --watch", False),
    ],
)  # fmt: skip
def test_the_lag_of_a_partition_has_a_hint(values: dict[str, Any], shown: str, command: str, serious: bool) -> None:
    one = partition_problem(Partition.model_validate(WELL | values), LATE_S)
    assert one is not None
    assert (one.part, one.command, one.serious) == ("audit.events[3]", command, serious)
    assert shown in one.text


def test_a_short_lag_is_not_a_problem() -> None:
    assert partition_problem(Partition.model_validate(WELL | {"lag": 5, "age_s": 59.0}), LATE_S) is None


def test_letters_contracts_conflicts_and_disks_are_reported_the_serious_ones_first() -> None:
    refusals = [
        {"tenant": "acme", "refused": 9, "after_change": 4},
        {"tenant": "globex", "refused": 9, "after_change": 0},  # not caused by the change
    ]
    used = Columns(
        60, [datetime(2030, 1, 1, tzinfo=UTC)], {name: [None] for name in COLUMNS} | {"disk_used_ratio": [0.95]}
    )
    every = found(
        health=health(conflicts={"hours": 24, "ids": 2, "tenants": 1}, refusals=refusals),
        dead_letters=Section(DeadLetters.model_validate(NO_LETTERS | {"count": 1})),
        history=Section(used),
    )
    assert [one.serious for one in every] == [True, True, False, False]
    assert {one.text for one in every} == {
        "The tenant’s contract has rejected 4 events since it was changed.",
        "The fullest disk is 95 % full.",
        "2 event IDs were reused with different content in the last 24 hours. All events are kept.",
        "1 dead letter is open.",
    }
    assert [(one.path, one.tenant) for one in every if one.part == "acme"] == [("/console/settings", "acme")]
    assert [one.path for one in every if "dead letter" in one.text] == ["/console/dead-letters"]
