"""The one way that is known to store a row twice, step by step: as the docs tell it, and no shorter.

A first attempt does not say what it saw, as a redo does. Each of the things that have to come together is left out in
turn; then every row is stored once.
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
# Month, good, doubtful, offset: the first and third are accepted by the one verdict, the others by the other.
VALUES = [b"202611:1:1:0", b"202611:0:1:1", b"202611:1:1:2", b"202611:0:1:3"]


class Once(Random):
    """No faults; a statement is looked over by its guard as soon as it is sent."""

    def random(self) -> float:
        return 0.0


class Thread(Inserts):
    """An insert thread with one range, which it judged by what the registry said when it got it."""

    def __init__(self, world: World, *, redo: bool) -> None:
        super().__init__("redo" if redo else "first", world, Once())
        self.core = Mock(spec=Core)
        count = len(VALUES)
        columns = Columns(range(count), [0] * count, [b"k"] * count, VALUES)
        self.submit(Write(Range(AT, "id", 0, count - 1, columns, "", 1, redo)))
        [self.job] = self.jobs

    @property
    def now(self) -> int:
        return 0

    def look(self) -> None:
        """Up to the statement whose guard has looked, and whose rows have not landed."""
        while self.jobs and self.job.sent is None:
            self.advance(self.job)

    def end(self) -> None:
        while self.jobs:
            self.advance(self.job)


def stored(
    *, turns: bool = True, turns_back: bool = True, forgotten: bool = True, order: str = "both look"
) -> list[int]:
    """How often each message is stored."""
    world = World(Kafka(1), ClickHouse(WINDOW))
    frozen = Thread(world, redo=False)  # judged, and frozen before its first insert
    world.turned = turns
    heir = Thread(world, redo=True)
    heir.end()  # stored its verdict's rows under the token that the first one will use, and died before it committed
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


def test_a_verdict_that_turns_twice_around_a_frozen_first_attempt_doubles_its_rows() -> None:
    assert stored() == [2, 1, 2, 1]


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
def test_whatever_of_it_is_missing_every_row_is_stored_once(without: dict[str, Any]) -> None:
    assert set(stored(**without)) <= {0, 1}
    assert stored(**without)[0] == 1
