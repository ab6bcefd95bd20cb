"""Steps through a validation result that changes twice around a first attempt that is frozen. Every row is stored once.

This is the rarest known way to store a row twice: one of 54,000 schedules found it. It requires a first attempt that
does not expect an empty range, and several other conditions. Each test omits one of them.
"""

from __future__ import annotations

from random import Random
from typing import Any
from unittest.mock import Mock

import pytest
from simulator.clickhouse import ClickHouse
from simulator.inserts import Inserts
from simulator.kafka import Kafka
from simulator.world import World

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.worker.protocol.actions import Write
from auditlane.worker.protocol.core import Core
from auditlane.worker.protocol.partition_state import Range

AT = Partition("t", 0)
WINDOW = 3
# Each message: period, good, doubtful, offset. One verdict accepts the first and third messages, the other the second
# and fourth.
VALUES = [b"202611:1:1:0", b"202611:0:1:1", b"202611:1:1:2", b"202611:0:1:3"]


class Once(Random):
    """A source of randomness that injects no faults. A statement's guard runs as soon as the statement is sent."""

    def random(self) -> float:
        return 0.0


class Thread(Inserts):
    """An insert thread with a single range, validated with the state of the registry at submission."""

    def __init__(self, world: World, *, redo: bool, expects: bool = True) -> None:
        super().__init__("redo" if redo else "first", world, Once())
        self.expects = expects
        self.core = Mock(spec=Core)
        count = len(VALUES)
        columns = Columns(range(count), [0] * count, [b"k"] * count, VALUES)
        self.submit(Write(Range(AT, "id", 0, count - 1, columns, "", 1, redo)))
        [self.job] = self.jobs

    @property
    def now(self) -> int:
        return 0

    def look(self) -> None:
        """Advance the thread until the guard has run but the rows have not landed yet."""
        while self.jobs and self.job.sent is None:
            self.advance(self.job)

    def end(self) -> None:
        while self.jobs:
            self.advance(self.job)


def stored(
    *,
    turns: bool = True,
    turns_back: bool = True,
    forgotten: bool = True,
    order: str = "both look",
    expects: bool = False,
) -> list[int]:
    """Return how often each message is stored. With `expects`, the first attempt expects that no rows are stored."""
    world = World(Kafka(1), ClickHouse(WINDOW))
    frozen = Thread(world, redo=False, expects=expects)  # validated, then frozen before its first insert
    world.turned = turns
    successor = Thread(world, redo=True)
    successor.end()  # inserted its verdict's rows under the token that `frozen` will use, and died before its commit
    if forgotten:
        world.clickhouse.others(WINDOW)
    world.turned = turns and not turns_back
    second = Thread(world, redo=True)
    if order == "both look":
        second.look()
        frozen.look()
    for thread in (frozen, second) if order == "frozen first" else (second, frozen):
        thread.end()
    return [world.clickhouse.rows.get((AT, offset), 0) for offset in range(len(VALUES))]


def test_a_first_attempt_that_expects_nothing_would_store_rows_twice() -> None:
    assert stored() == [2, 1, 2, 1]


def test_a_first_attempt_that_was_overtaken_continues_as_a_redo() -> None:
    assert stored(expects=True) == [1, 1, 1, 1]
    assert stored(expects=True, turns_back=False) == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "without",
    [
        {"turns": False},
        {"turns_back": False},
        {"forgotten": False},
        {"order": "frozen first"},
        {"order": "second first"},
    ],
    ids=str,
)
def test_without_any_of_the_conditions_every_row_is_stored_once(without: dict[str, Any]) -> None:
    assert set(stored(**without)) <= {0, 1}
    assert stored(**without)[0] == 1
