"""Tests tables that another version of auditlane has changed. This version's workers store rows in them, or halt."""

from __future__ import annotations

from fixtures.workers import World, wait_until


def test_a_column_that_a_newer_version_adds_stops_no_worker_running_or_restarted(world: World) -> None:
    first = world.worker()
    world.produce(100)
    world.stored(100)
    world.client.command(f"ALTER TABLE {world.events} ADD COLUMN note String DEFAULT 'x'")
    world.produce(100)
    world.stored(200)
    assert first.stop() == 0
    second = world.worker()
    world.produce(100)
    world.completed()
    assert world.counts() == (300, 300)
    assert not first.events("partition.halted") + second.events("partition.halted")
    [row] = world.client.query(f"SELECT countIf(note = 'x') FROM {world.events}").result_rows
    assert row[0] == 300


def test_a_column_that_the_table_lacks_stops_the_worker_with_its_name(world: World) -> None:
    """The running worker halts its partitions. A restarted worker waits for the column before it consumes, and reports
    the missing column when it gives up waiting. It starts once the column exists, and nothing is lost.
    """
    running = world.worker()
    world.produce(100)
    world.completed()
    world.client.command(f"SYSTEM START MERGES {world.events}")  # removing a column is a mutation
    world.client.command(f"ALTER TABLE {world.events} DROP COLUMN schema_id")
    world.produce(100)
    halted = wait_until(lambda: running.events("partition.halted"), why=running.tail)
    assert "schema_id" in halted[0]["reason"]
    assert running.stop() == 0
    restarted = world.worker(wait_for_store_s=0.5)
    assert restarted.ended() == 2
    assert "lacks columns that this worker writes: schema_id, even after waiting for 0.5 s" in restarted.tail()
    waiting = world.worker(wait_for_store_s=3_600)
    wait_until(lambda: waiting.events("worker.waiting"), why=waiting.tail)
    world.client.command(f"ALTER TABLE {world.events} ADD COLUMN schema_id UInt32")
    world.completed()
    assert world.counts() == (200, 200)
