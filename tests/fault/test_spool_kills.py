"""Kills processes that emit events while Kafka or the gateway is down. Afterwards, every event must be accounted
for.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fixtures.workers import World, wait_until
from serving import ServeProcess

from auditlane.sdk import AuditClient
from auditlane.sdk.spool.frames import HEADER_BYTES, Found, scan, seed_of

AWAY = "127.0.0.1:9"  # the discard port, on which no process listens
# Emits in two threads of each of two processes, noting each event before and after.
PROGRAM = """
import os, sys, threading, time
from auditlane.sdk import AuditClient
client = AuditClient(on_error=lambda *_: None)
notes = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
def emit(thread, number):
    name = f"{os.getpid()}-{thread}-{number}"
    os.write(notes, f"? {name}\\n".encode())
    client.emit(tenant_id=f"t{number % 3}", action=name)
    os.write(notes, f"! {name}\\n".encode())
def work(thread):
    for number in range(10**9):
        emit(thread, number)
        time.sleep(0.002)
emit("first", 0)
os.fork()
for thread in range(2):
    threading.Thread(target=work, args=(thread,)).start()
"""


class Run:
    """Starts and kills programs that emit events, and compares what they noted with the store."""

    def __init__(self, world: World, mode: str, transport: str) -> None:
        self.world = world
        self.mode = mode
        self.transport = transport
        self.spool = world.folder / "spool"
        self.folder = self.spool if transport == "kafka" else self.spool / "http"
        self.notes = world.folder / "notes"
        self.notes.touch()
        self.kills = 0
        settings = world.settings
        self.options: dict[str, Any] = {"registry_url": settings.registry_url, "topic": settings.topic}
        self.away = [{"kafka_bootstrap": AWAY}]
        if transport == "gateway":
            self.options = {}
            self.away = [{"url": f"http://{AWAY}", "token": "t"}]
        self.options["spool_dir"] = str(self.spool)

    @contextmanager
    def without_kafka(self) -> Iterator[None]:
        """Run a gateway that cannot reach Kafka. Half of the programs send their events to it."""
        if self.transport == "kafka":
            yield
            return
        with self.serve(kafka_bootstrap=AWAY, ingest_ack_timeout_ms=500) as options:
            self.away.append(options)
            yield

    @contextmanager
    def serve(self, **settings: Any) -> Iterator[dict[str, Any]]:
        given = self.world.settings.model_dump(exclude_unset=True) | settings
        with ServeProcess(self.world.folder, roles="ingest", **given) as served:
            issued = served.keys.create(roles=("writer",), tenant=None, now=datetime.now(UTC))
            yield {"url": served.url, "client_id": issued.client.client_id, "secret": issued.secret}

    def kill(self, when: Callable[[], object]) -> None:
        """Start a program, and kill all of its processes once the condition is true."""
        options = self.options | self.away[self.kills % len(self.away)]
        env = {f"AUDITLANE_{name.upper()}": value for name, value in options.items()}
        env["AUDITLANE_DELIVERY_MODE"] = self.mode
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, str(self.notes)],
            env=os.environ | env,
            start_new_session=True,
        )
        try:
            wait_until(lambda: process.poll() is not None or when(), patience_s=60)
            assert process.poll() is None, "the program ended by itself"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.kills += 1

    def emitted(self) -> tuple[set[str], set[str]]:
        """Return two sets of event ids: those for which `emit` was called, and those for which it returned."""
        lines = self.notes.read_text().splitlines()
        return tuple({line[2:] for line in lines if line.startswith(sign)} for sign in "?!")  # type: ignore[return-value]

    def drain(self) -> None:
        """Deliver all events that are still on disk."""
        if self.transport == "kafka":
            self.drain_with({"kafka_bootstrap": self.world.settings.kafka_bootstrap})
            return
        with self.serve() as options:
            self.drain_with(options)

    def drain_with(self, options: dict[str, Any]) -> None:
        with AuditClient(**self.options, **options) as client:
            earlier = set(self.folder.glob("*.set"))
            wait_until(
                lambda: not earlier & set(self.folder.glob("*.set")) and not client.stats.spooled, patience_s=120
            )
        assert not [*self.folder.glob("*.set")]

    def stored(self) -> tuple[set[str], int]:
        """Return the programs' stored events, and the number of reported losses. Asserts that each event is visible
        exactly once.
        """
        self.world.worker().ready()
        self.world.completed()
        query = (
            f"SELECT action, count(), sum(toUInt64OrZero(metadata['count'])) FROM {self.world.events} FINAL GROUP BY 1"
        )
        rows = {row[0]: row[1:] for row in self.world.client.query(query).result_rows}
        lost = rows.pop("events.dropped", (0, 0))[1]
        names = {name for name in rows if name[0].isdigit()}
        assert {name for name in names if rows[name][0] != 1} == set()
        return names, int(lost)

    def grown(self, lines: int) -> Callable[[], bool]:
        """Return a condition that is true once the programs have noted this many more events."""
        aim = len(self.notes.read_bytes().splitlines()) + 2 * lines
        return lambda: len(self.notes.read_bytes().splitlines()) >= aim

    def spilled(self) -> bool:
        """Return whether a running program has written to its spool, so that the newest record set contains a
        segment.
        """
        newest = sorted(self.folder.glob("*.set"))[-2:]
        return any(path.stat().st_size > 1_000 for one in newest for path in one.glob("*.segment"))


def flip_and_tear(folder: Path) -> str:
    """Flip a bit of one record, and append an incomplete frame to its segment. Returns the event id of the damaged
    record.
    """
    segment = max(folder.glob("*.set/*.segment"), key=lambda path: path.stat().st_size)
    data = bytearray(segment.read_bytes())
    found = [one for one in scan(bytes(data), seed_of(segment.parent.name)) if isinstance(one, Found)]
    victim = found[len(found) // 2]
    data[victim.end - 3] ^= 0x10
    segment.write_bytes(bytes(data) + bytes(data[HEADER_BYTES : HEADER_BYTES + 40]))
    return victim.record.event_id


def check_durable(run: Run, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    with run.without_kafka():
        for _ in range(kills):
            run.kill(run.grown(chance.randrange(5, 150)))
    flip_and_tear(run.folder)
    run.drain()
    begun, returned = run.emitted()
    stored, lost = run.stored()
    assert stored <= begun
    assert len(returned - stored) == lost == 1, "of the events whose emit returned, only the damaged one is missing"
    print(f"{run.transport}, durable: {run.kills} kills, {len(returned)} events, 1 damaged by hand, reported")


def check_fast(run: Run, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    with run.without_kafka():
        for number in range(kills):
            grown = run.grown(chance.randrange(5, 150))
            run.kill(grown if number // 2 % 2 else lambda: run.spilled() and grown())  # noqa: B023
    run.drain()
    begun, returned = run.emitted()
    stored, lost = run.stored()
    assert stored <= begun
    missing = len(begun - stored)
    in_doubt = len(begun - returned)
    # An event whose emit was interrupted may or may not have been counted.
    assert missing - in_doubt <= lost <= missing
    counts = f"{missing} missing, {lost} reported, {in_doubt} in doubt"
    print(f"{run.transport}, fast: {run.kills} kills, {len(returned)} events, {counts}")


@pytest.mark.parametrize("transport", ["kafka", "gateway"])
@pytest.mark.parametrize("mode", ["durable", "fast"])
def test_every_event_of_killed_processes_is_stored_or_counted(world: World, mode: str, transport: str) -> None:
    check = check_durable if mode == "durable" else check_fast
    check(Run(world, mode, transport), kills=3, seed=1)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("transport", ["kafka", "gateway"])
@pytest.mark.parametrize("mode", ["durable", "fast"])
def test_every_event_of_many_killed_processes_is_stored_or_counted(world: World, mode: str, transport: str) -> None:
    check = check_durable if mode == "durable" else check_fast
    check(Run(world, mode, transport), kills=50, seed=time.time_ns() % 1_000)
