"""Kills a worker at every step of the protocol, or freezes it for longer than its session timeout. Each event is stored
once.
"""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta

import pytest
from fixtures.workers import World, wait_until

STEPS = ("intent", "insert", "letters", "complete")


def mixed(world: World, count: int) -> None:
    """Produce events from two months, and one bad message, to each of the two partitions."""
    for days in (0, 40):
        world.produce(count, occurred_at=datetime.now(UTC) - timedelta(days=days))
    for partition in range(2):
        world.send(b"bad", partition=partition)


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_before_and_after_each_step_stores_each_event_once(world: World, step: str) -> None:
    for number, when in enumerate(("before", "after"), 1):
        mixed(world, 50)
        killed = world.worker(failpoint=f"{when}_{step}:kill")
        assert killed.ended() == -signal.SIGKILL, killed.tail()
        assert world.counts()[0] <= 100 * number
    world.worker()
    world.completed()
    assert world.counts() == (200, 200)
    identities = {
        (headers["__connect.errors.partition"], headers["__connect.errors.offset"])
        for headers in (dict(one.headers()) for one in world.dead_letters(4))
    }
    assert len(identities) == 4


def test_a_zombie_that_wakes_up_adds_nothing(world: World) -> None:
    mixed(world, 100)
    zombie = world.worker(failpoint="before_insert:stop")
    wait_until(lambda: zombie.stopped() or zombie.process.poll() is not None, why=zombie.tail)
    heir = world.worker()
    heir.ready()
    # ClickHouse forgets the frozen worker's tokens, so only the guard inside the statement is left.
    world.client.command(f"ALTER TABLE {world.events} MODIFY SETTING non_replicated_deduplication_window = 2")
    world.stored(200)
    for _ in range(5):
        world.produce(10)
    world.completed()
    zombie.process.send_signal(signal.SIGCONT)
    wait_until(lambda: zombie.events("partition.lost") or zombie.events("partition.revoked"), why=zombie.tail)
    assert zombie.stop() == 0
    world.produce(10)
    world.completed()
    assert heir.process.poll() is None
    assert world.counts() == (260, 260)
