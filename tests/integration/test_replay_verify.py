"""Replay and verify on real parts: what was deleted comes back, nothing else does, and every offset is accounted for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from fixtures.workers import World, wait_until

from auditlane.runtime.settings import variable
from auditlane.worker.positions import Positions


class Command:
    """`auditlane` pointed at a world, with a cache folder of its own for checkpoints."""

    def __init__(self, world: World, folder: Path) -> None:
        given = world.settings.model_dump(exclude_unset=True) | {"cache_dir": folder, "range_rows": 20}
        self.env = os.environ | {variable(name): str(value) for name, value in given.items()}

    def start(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "auditlane.cli", *arguments],
            env=self.env | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0, **env: str) -> dict[str, Any]:
        """Its JSON; fails with what it said when it ends with another exit code."""
        process = self.start(*arguments, "--json", **env)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        return json.loads(out) if out else {"error": err}


@pytest.fixture
def command(world: World, tmp_path: Path) -> Command:
    return Command(world, tmp_path / "cache")


def stored(world: World, count: int) -> None:
    """Produce so many events and have them stored by a worker that then ends."""
    rows, _ = world.counts()
    world.produce(count)
    worker = world.worker()
    world.stored(rows + count)
    world.completed()
    assert worker.stop() == 0


def delete(world: World, where: str) -> None:
    """Rows by hand; a mutation waits while merges are stopped."""
    world.client.command(f"SYSTEM START MERGES {world.events}")
    world.client.command(f"DELETE FROM {world.events} WHERE {where}", settings={"lightweight_deletes_sync": 2})
    world.client.command(f"SYSTEM STOP MERGES {world.events}")


def insert(world: World, where: str, changed: str) -> None:
    """Copies of rows by hand, with some columns changed."""
    rows = f"(SELECT * FROM {world.events} WHERE {where})"
    world.client.command(f"INSERT INTO {world.events} SELECT * REPLACE ({changed}) FROM {rows}")


def committed(world: World) -> dict[Any, int | None]:
    positions = Positions(world.settings)
    return positions.committed(positions.partitions(world.settings.topic))


def offsets(world: World) -> list[tuple[int, int]]:
    rows = world.client.query(f"SELECT kafka_partition, kafka_offset FROM {world.events} ORDER BY 1, 2").result_rows
    return [(int(partition), int(offset)) for partition, offset in rows]


def test_verify_finds_what_was_deleted_and_inserted_by_hand_and_replay_restores_the_first(
    world: World, command: Command
) -> None:
    stored(world, 200)
    before, commits = offsets(world), committed(world)
    assert command.run("verify", world.settings.topic)["counts"]["stored"] == 200
    delete(world, "kafka_partition = 0 AND kafka_offset = 7")
    insert(world, "kafka_partition = 1 AND kafka_offset = 3", "900000 AS kafka_offset, generateUUIDv4() AS event_id")
    found = command.run("verify", code=1)
    assert (found["counts"]["missing"], found["counts"]["extra"], found["counts"]["stored"]) == (1, 1, 199)
    wrong = [(one["partition"], run["first"], run["fate"]) for one in found["ranges"] for run in one["wrong"]]
    assert wrong == [(0, 7, "missing")]
    assert {one["partition"]: one["stray"] for one in found["ranges"]} == {0: [], 1: [900000]}

    dry = command.run("replay", world.settings.topic, "--dry-run")
    assert (dry["stored"], dry["already"]) == (1, 199)
    assert len(offsets(world)) == 200
    done = command.run("replay", world.settings.topic)
    assert (done["stored"], done["already"], done["refused"]) == (1, 199, {})
    assert offsets(world) == sorted([*before, (1, 900000)])
    assert command.run("replay", world.settings.topic)["stored"] == 0
    assert committed(world) == commits
    assert command.run("verify", code=1)["counts"]["missing"] == 0
