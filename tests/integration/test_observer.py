"""Tests the observer on real services. Each change in the workers results in one event, whether there are one or
several observers.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from shutil import disk_usage
from typing import Any

import pytest
import structlog
from clickhouse_connect.driver.client import Client
from fixtures.authority import authority
from fixtures.workers import World, wait_until
from serving import Served

from auditlane.access.audit import AuditRecord
from auditlane.access.keys import KeysFile
from auditlane.contract.avro import base_schema
from auditlane.observe.history import history
from auditlane.observe.observer import NAME, Observer
from auditlane.observe.state import ObserverState
from auditlane.runtime.errors import StoreUnavailable
from auditlane.store.leases import Claim, Lease

OURS = "_auditlane"
QUICK: dict[str, Any] = {"observe_every_s": 0.2, "observe_lag_s": 2.0, "observe_checks": 2, "observe_gap_s": 600.0}
WINDOW = 50
SOAK_S = float(os.environ.get("SOAK_S", "1800"))


@contextmanager
def observed(world: World, processes: int = 2) -> Iterator[list[Served]]:
    settings = world.settings.model_dump(exclude_unset=True) | QUICK
    with ExitStack() as stack:
        stack.enter_context(structlog.testing.capture_logs())
        served = []
        for number in range(processes):
            folder = world.folder / f"serve{number}"
            folder.mkdir()
            served.append(stack.enter_context(Served(folder, **settings)))
        yield served


def claim(world: World) -> Claim:
    return Lease(lambda: world.client, world.settings.clickhouse_database, NAME, duration=timedelta(0)).newest()


def state(world: World) -> ObserverState:
    return ObserverState.parse(claim(world).state)


def ours(world: World, tenant: str = OURS) -> Counter[str]:
    """Count the stored events of the observer by action, as readers see them."""
    rows = world.client.query(
        f"SELECT action, count() FROM `{world.settings.clickhouse_database}`.log"
        f" WHERE tenant_id = '{tenant}' AND actor_id = 'observer' GROUP BY action"
    ).result_rows
    return Counter(dict(rows))


def logged(world: World, action: str) -> Any:
    """Return the metadata, severity and resource of the only event with this action, as readers see it.

    The table may contain the event twice. If another observer takes over the lease in the meantime, it records the
    event again.
    """
    [row] = world.client.query(
        f"SELECT metadata, toString(severity), resource_id FROM `{world.settings.clickhouse_database}`.log"
        f" WHERE tenant_id = '{OURS}' AND action = '{action}'"
    ).result_rows
    return row


def checked_again(world: World, checks: int = 5) -> None:
    """Wait until several more checks have been made, by which time an extra event would have been recorded."""
    epoch = claim(world).epoch
    wait_until(lambda: claim(world).epoch >= epoch + checks)


def test_a_frozen_worker_is_one_lag_detected_and_one_cleared_with_two_observers(world: World) -> None:
    topic = world.settings.topic
    worker = world.worker()
    worker.ready()
    world.produce(20)
    world.stored(20)
    with observed(world):
        wait_until(lambda: claim(world).epoch > 2)
        os.kill(worker.process.pid, signal.SIGSTOP)
        wait_until(worker.stopped)
        world.produce(100)
        wait_until(lambda: (found := state(world).conditions.get(f"lag:{topic}")) and found.active)
        checked_again(world)
        os.kill(worker.process.pid, signal.SIGCONT)
        wait_until(lambda: ours(world)["lag.cleared"], why=worker.tail)
        checked_again(world)
        wait_until(lambda: not claim(world).expired)
    assert ours(world) == Counter({"lag.detected": 1, "lag.cleared": 1})
    metadata, severity, resource = logged(world, "lag.detected")
    assert int(metadata["events"]) >= 1
    assert (severity, resource) == ("Medium", topic)


def test_a_bad_deploy_is_one_circuit_opened_and_closed_by_the_operators_restart(world: World) -> None:
    first = world.worker(dlq_ratio_window=WINDOW)
    first.ready()
    with observed(world, 1):
        for number in range(2 * WINDOW):
            world.send(b"not framed", key=f"tenant{number % 5}")
        wait_until(lambda: state(world).circuits, why=first.tail)
        checked_again(world)
        assert first.stop() == 0
        second = world.worker(dlq_ratio_window=WINDOW, dlq_max_ratio=1.0)
        wait_until(lambda: ours(world)["circuit_breaker.closed"], why=second.tail)
        checked_again(world)
    assert ours(world)["circuit_breaker.opened"] == ours(world)["circuit_breaker.closed"] == 1
    metadata, severity, resource = logged(world, "circuit_breaker.opened")
    assert (severity, resource, metadata["code"]) == ("High", world.settings.topic, "NOT_FRAMED")
    assert int(metadata["count"]) > 0
    assert {one.refusal.code for one in state(world).letters.counts} == {"NOT_FRAMED"}  # type: ignore[union-attr]


class Kept:
    """A sink that keeps what an observer records."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def record(self, record: AuditRecord) -> None:
        self.records.append(record)


class Connection:
    """A process's connection to the store, which can be cut to simulate a network failure."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.cut = False

    def __call__(self) -> Client:
        if self.cut:
            raise StoreUnavailable("ClickHouse cannot be reached: the cable is cut.")
        return self.client


class Process:
    """The observer of one process. The test decides when it checks."""

    def __init__(self, world: World, **given: Any) -> None:
        self.kept = Kept()
        self.store = Connection(world.client)
        settings = world.settings.model_copy(update={**QUICK, "observe_every_s": 0.5, **given})
        self.observer = Observer(settings, self.kept, store=self.store)

    def turn(self, times: int = 1, *, later: timedelta = timedelta(0)) -> None:
        for _ in range(times):
            self.observer.turn(datetime.now(UTC) + later)

    @property
    def actions(self) -> list[str]:
        return [one.action for one in self.kept.records]


@pytest.fixture
def processes(world: World) -> Iterator[tuple[Process, Process]]:
    with structlog.testing.capture_logs():
        both = Process(world), Process(world)
        yield both
        for one in both:
            one.store.cut = True
            one.observer.close()


def behind(world: World) -> None:
    """Make the group lag behind, with messages older than the limit."""
    world.produce(10, partition=0)
    world.commit(0, 2)
    time.sleep(QUICK["observe_lag_s"])


def test_the_state_passes_to_the_next_observer_which_repeats_the_recent_events(
    world: World, processes: tuple[Process, Process]
) -> None:
    first, second = processes
    behind(world)
    first.turn(2)
    second.turn()
    assert (first.actions, second.actions) == (["lag.detected"], [])
    assert (first.observer.leading, second.observer.leading) == (True, False)
    first.observer.close()  # an orderly stop: the sink delivers the event
    second.turn(3)
    assert second.observer.leading
    assert second.actions == []
    world.commit(0, 10)
    second.turn(2)
    assert second.actions == ["lag.cleared"]
    heir = Process(world)
    wait_until(lambda: heir.turn() or heir.observer.leading)  # the other process was killed
    assert heir.kept.records == second.kept.records, "the same events with the same ids"
    second.turn(3)
    assert not second.observer.leading
    heir.observer.close()


def test_the_leader_continues_without_the_store_and_records_its_events_later(
    world: World, processes: tuple[Process, Process]
) -> None:
    first, second = processes
    first.turn()
    for one in processes:
        one.store.cut = True
    behind(world)
    first.turn(2)
    second.turn(3)
    assert (first.actions, second.actions) == ([], [])
    assert not second.observer.leading
    noticed = datetime.now(UTC)
    first.store.cut = False
    first.turn()
    assert first.actions == ["lag.detected"]
    assert first.kept.records[0].occurred_at < noticed
    assert state(world).conditions[f"lag:{world.settings.topic}"].active
    second.store.cut = False
    wait_until(lambda: second.turn() or second.observer.leading)  # its lease has expired, since no turn renewed it
    first.turn(2)
    assert not first.observer.leading, "it asks before it acts"
    assert second.actions == ["lag.detected"]
    assert second.kept.records == first.kept.records


def test_a_leader_that_alone_is_cut_off_records_nothing_that_its_successor_records(
    world: World, processes: tuple[Process, Process]
) -> None:
    first, second = processes
    first.turn()
    first.store.cut = True
    behind(world)
    first.turn(2)
    wait_until(lambda: second.turn() or second.observer.leading)  # the first observer's lease has expired
    second.turn(2)
    first.turn(2)
    assert first.observer.leading, "it does not know yet"
    assert (first.actions, second.actions) == ([], ["lag.detected"])
    first.store.cut = False
    first.turn(2)
    assert not first.observer.leading
    assert (first.actions, second.actions) == ([], ["lag.detected"])


def test_a_minute_is_kept_until_the_store_is_there(world: World, processes: tuple[Process, Process]) -> None:
    first, _ = processes
    first.turn()
    world.produce(60)
    first.store.cut = True
    first.turn(later=timedelta(minutes=1))
    first.store.cut = False
    first.turn(later=timedelta(minutes=2))
    now = datetime.now(UTC)
    found = history(world.client, world.settings.clickhouse_database, now - timedelta(hours=1), now=now)
    assert len(found.at) == 2
    assert found.values["received_per_second"][0] == pytest.approx(1.0, rel=0.5)
    assert found.values["lag_events"][1] == 60.0
    assert found.values["disk_used_ratio"][1] is not None


def test_every_part_is_measured(world: World) -> None:
    """This includes a contract registered by another tool, a dead letter, a disk, a key and a certificate."""
    with structlog.testing.capture_logs() as lines:
        _measure_every_part(world)
    assert "observe.unmeasured" not in {line["event"] for line in lines}


def _measure_every_part(world: World) -> None:
    settings, now = world.settings, datetime.now(UTC)
    keys = KeysFile.load_or_create(world.folder / "keys.json")
    expires = now + timedelta(days=1)
    client = keys.create(roles=("vendor",), now=now - timedelta(days=30), expires=expires, tenant="acme").client
    one = Process(
        world,
        keys_file=world.folder / "keys.json",
        clickhouse_ca=authority(world.folder / "ca", "127.0.0.1").ca,
        data_dir=world.folder,
        observe_disk_free_ratio=0.5,
        observe_expiry_days=30.0,
    )
    one.turn()
    subject = f"{settings.topic}.acme-value"
    world.registry.register(subject, json.dumps(base_schema()))
    world.worker()
    world.send(b"not framed", key="acme")
    world.dead_letters(1)
    one.turn()
    known = state(world)
    assert (known.subjects or {})[subject] == 1
    assert known.letters is not None
    assert [(one.refusal.code, one.refusal.tenant) for one in known.letters.counts] == [("NOT_FRAMED", "acme")]
    assert known.window is not None
    usage = disk_usage(world.folder)
    assert known.window.disk_used_ratio == pytest.approx(1 - usage.free / usage.total, abs=0.1)
    world.completed()
    one.turn(later=timedelta(hours=2))
    one.observer.close()
    found = {record.action: record for record in one.kept.records}
    assert (found["key.expiring"].resource_id, found["key.expiring"].tenant) == (client.client_id, "acme")
    assert (found["events.refused"].metadata["code"], found["events.refused"].tenant) == ("NOT_FRAMED", "acme")
    assert (found["schema.changed"].resource_id, found["schema.changed"].tenant) == (subject, "acme")
    assert "certificate.expiring" not in found, "more than a third of its day is left"


@pytest.mark.long
@pytest.mark.timeout(SOAK_S + 900)
def test_a_load_around_the_threshold_has_no_events_too_many(world: World) -> None:
    """This is a soak test. A load stops and continues for SOAK_S seconds, and each condition that is detected is
    cleared before the next one.
    """
    ends = time.monotonic() + SOAK_S
    worker = world.worker()
    worker.ready()
    stop = threading.Event()

    def produce() -> None:
        while not stop.is_set():
            world.produce(50)
            stop.wait(0.2)

    load = threading.Thread(target=produce)
    with observed(world):
        load.start()
        pauses = 0
        while time.monotonic() < ends:
            os.kill(worker.process.pid, signal.SIGSTOP)
            time.sleep(1.0 + pauses % 4)  # around the limit of two seconds
            os.kill(worker.process.pid, signal.SIGCONT)
            time.sleep(5.0)
            pauses += 1
        stop.set()
        load.join()
        world.completed(patience_s=120)
        checked_again(world, 20)
    found = ours(world)
    assert found["lag.detected"] == found["lag.cleared"]
    assert 1 <= found["lag.detected"] <= SOAK_S / QUICK["observe_gap_s"] + 1
