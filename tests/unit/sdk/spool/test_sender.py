"""Tests how events are written to the spool, passed to the Kafka client, and counted. The test decides what the client
reports.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from auditlane.runtime.errors import (
    ClientClosed,
    DeliveryFailed,
    InvalidEvent,
    RegistryUnavailable,
    SpoolFailed,
    SpoolFull,
)
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery_tracker import DeliveryTracker
from auditlane.sdk.spool import group_commit, own_set, owner_file, record_set, sender, settler, store
from auditlane.sdk.spool.adoption import Adoption
from auditlane.sdk.spool.group_commit import GroupCommit
from auditlane.sdk.spool.losses import KILLED, Loss
from auditlane.sdk.spool.sender import SPILL_S, SpoolSender
from auditlane.sdk.transport import NotOffered, Undelivered


def failed(event_id: str) -> DeliveryFailed:
    return DeliveryFailed(f"Event {event_id} failed.")


TIMED_OUT = Undelivered(failed)
TOO_LARGE = Undelivered(failed, "Kafka")


class Kafka:
    """Stands in for the Kafka client. It keeps events until the test settles them."""

    def __init__(self, room: int = 10**6) -> None:
        self.room = room
        self.held: list[Any] = []
        self.receiver: Any = None
        self.offered: list[str] = []
        self.raises: Exception | None = None

    def offer(self, event):
        if self.raises is not None:
            raise self.raises
        if len(self.held) >= self.room:
            raise BufferError
        self.offered.append(event.event_id)
        self.held.append(event)

    def settle(self, count=10**6, error=None):
        events, self.held = self.held[:count], self.held[count:]
        if error is None:
            self.receiver.acknowledged(events)
        for event in events if error is not None else []:
            self.receiver.undelivered(event, error)


class Outcomes:
    """The outcomes of a batch's events."""

    def __init__(self, on_settled: Callable[[Any], None] = lambda error: None) -> None:
        self._on_settled = on_settled
        self.settled: dict[int, Any] = {}
        self.on_disk: list[int] = []

    def acknowledged(self, indexes: Sequence[int]) -> None:
        for index in indexes:
            self.settle(index, None)

    def settle(self, index: int, error: Any) -> None:
        assert index not in self.settled
        self.settled[index] = error
        self._on_settled(error)

    def spooled(self, index: int) -> None:
        self.on_disk.append(index)


@pytest.fixture(params=[False, True], ids=["one by one", "in batches"], autouse=True)
def in_batches(request, monkeypatch):
    """Run each test twice: events are sent one by one, and in batches."""
    monkeypatch.setattr(Bench, "in_batches", request.param)


class Bench:
    in_batches = False

    def __init__(self, folder: Path, **options: Any) -> None:
        given = {"kafka_bootstrap": "b:1", "registry_url": "http://r", "spool_dir": str(folder)} | options
        self.folder = folder
        self.kafka, self.tracker = Kafka(), DeliveryTracker()
        self.reported: list[str | None] = []
        self.contracts: set[str] = set()
        self.sender = SpoolSender(
            ClientConfig(**given),
            self.tracker,
            self.kafka.offer,
            lambda error, event_id: self.reported.append(event_id),
            lambda: True,
            self.encode,
            lambda tenant: tenant in self.contracts,
        )
        self.kafka.receiver = self.sender

    def send(self, *names: str, tenant: str = "acme", value: bytes = b"v" * 300, **more: Any) -> None:
        if self.in_batches and not more.keys() - {"on_settled"}:
            refused = self.send_all(*names, tenant=tenant, value=value, outcomes=Outcomes(**more))
            if refused:
                raise refused[0][1]
            return
        for name in names:
            self.sender.send("topic", tenant.encode(), value, name, tenant, **more)

    def send_all(
        self, *names: str, outcomes: Outcomes, tenant: str = "acme", value: bytes = b"v" * 300
    ) -> list[tuple[int, Exception]]:
        messages = [("topic", tenant.encode(), value, {"h": b"v"}, name, tenant) for name in names]
        return self.sender.send_all(messages, outcomes)

    def encode(self, event) -> None:
        if event.tenant not in self.contracts:
            raise RegistryUnavailable("It is away.")
        if b"invalid" in event.value:
            raise InvalidEvent("project is missing.", field="project")
        event.value, event.unencoded = b"encoded " + event.value, False

    def fill(self) -> None:
        self.sender.fill(time.monotonic() + 60)

    def counts(self) -> tuple[int, int, int]:
        """Return how many events the tracker considers delivered, failed and pending."""
        return self.tracker.delivered, self.tracker.failed, self.tracker.pending

    def killed(self) -> list[Loss]:
        """Leave the files as a killed process would, adopt them, and return the losses."""
        assert self.sender.own is not None
        self.sender.own.close_inherited()
        self.sender.own.owner.close()
        found = Adoption(self.folder).oldest(None)
        assert found is not None
        losses = [loss for rows in found.losses.values() for loss in rows]
        found.owner.close()
        return losses


def names(first, last):
    return [f"e{number}" for number in range(first, last)]


def interrupted(*_):
    raise KeyboardInterrupt


def interrupted_with(error):
    def raising(*_):
        raise error

    return raising


def test_durable_events_are_on_disk_before_send_returns_and_off_it_once_acknowledged(tmp_path):
    bench = Bench(tmp_path, delivery_mode="durable")
    bench.send("a", "b")
    assert (bench.sender.spooled, bench.kafka.offered, bench.counts()) == (2, ["a", "b"], (0, 0, 2))
    bench.kafka.settle()
    assert (bench.sender.spooled, bench.sender.on_disk, bench.counts()) == (0, {}, (2, 0, 0))
    bench.sender.close()
    assert [*tmp_path.iterdir()] == []


def test_fast_events_are_written_only_while_kafka_is_late(tmp_path):
    bench = Bench(tmp_path)
    bench.send("a", "b")
    bench.sender.sweep(time.monotonic(), 1)
    assert (bench.sender.spooled, bench.sender.unsafe) == (0, 2)
    bench.sender.sweep(time.monotonic() + SPILL_S, 1)
    assert (bench.sender.spooled, bench.sender.unsafe) == (2, 0)
    bench.send("c")
    assert bench.sender.spooled == 3, "later events are written at once"
    bench.kafka.settle()
    bench.send("d")
    assert (bench.sender.spooled, bench.sender.unsafe) == (0, 1), "and are in memory again once Kafka has the others"
    bench.kafka.settle()
    assert bench.counts() == (4, 0, 0)
    assert bench.killed() == []


def test_events_wait_on_disk_behind_those_that_the_client_had_no_room_for(tmp_path):
    bench = Bench(tmp_path, delivery_mode="durable")
    bench.kafka.room = 3
    bench.send(*names(0, 10))
    assert (bench.kafka.offered, bench.sender.spooled) == (names(0, 3), 10)
    bench.kafka.room = 4
    bench.send("e10")
    assert bench.kafka.offered == names(0, 3), "no event overtakes"
    while bench.sender.spooled:
        bench.kafka.settle(2)
        bench.fill()
    assert bench.kafka.offered == names(0, 11)
    assert bench.counts() == (11, 0, 0)


def test_a_fast_event_that_the_client_has_no_room_for_is_written_with_the_earlier_ones(tmp_path):
    bench = Bench(tmp_path)
    bench.kafka.room = 2
    bench.send(*names(0, 4))
    assert (bench.sender.unsafe, bench.sender.spooled) == (0, 4)
    bench.kafka.settle()
    bench.fill()
    bench.kafka.settle()
    assert (bench.kafka.offered, bench.counts()) == (names(0, 4), (4, 0, 0))
    assert bench.killed() == []


@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_a_failed_delivery_is_tried_again_from_disk(tmp_path, mode):
    bench = Bench(tmp_path, delivery_mode=mode)
    settled: list[Any] = []
    bench.send("a", on_settled=settled.append)
    bench.send("b", "c")
    bench.kafka.settle(error=TIMED_OUT)
    assert (bench.counts(), bench.sender.spooled, settled, bench.reported) == ((0, 0, 3), 3, [], [])
    bench.sender.fill(time.monotonic())
    assert len(bench.kafka.offered) == 3, "not at once"
    bench.fill()
    assert bench.kafka.offered == ["a", "b", "c"] * 2
    bench.kafka.settle()
    assert (bench.counts(), settled, bench.sender.spooled) == ((3, 0, 0), [None], 0)
    assert bench.killed() == []


@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_an_event_that_kafka_rejects_is_reported_and_given_up(tmp_path, mode):
    bench = Bench(tmp_path, delivery_mode=mode)
    settled: list[Any] = []
    bench.send("a", "b", on_settled=settled.append)
    bench.kafka.settle(1, TOO_LARGE)
    assert (bench.counts(), bench.reported) == ((0, 1, 1), ["a"])
    assert [type(error) for error in settled] == [DeliveryFailed]
    bench.sender.take_losses()
    bench.kafka.settle()
    assert [(loss.tenant, loss.count) for loss in bench.killed()] == [("acme", 1)]


def test_a_callback_that_raises_does_not_affect_the_events_acknowledged_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(settler, "_AWAITED_TOGETHER", 2)
    bench = Bench(tmp_path, delivery_mode="durable")
    settled: list[Any] = []
    bench.send("a", on_settled=lambda _: 1 / 0)
    bench.send("b", "c", "d", "e", on_settled=settled.append)
    bench.tracker.flush(0)
    bench.send("f")
    bench.kafka.settle()
    assert (bench.counts(), settled, bench.sender.spooled) == ((6, 0, 0), [None] * 4, 0)


def test_an_error_of_the_client_lets_an_event_wait(tmp_path):
    bench = Bench(tmp_path, delivery_mode="durable")
    bench.kafka.raises = NotOffered(TIMED_OUT)
    bench.send("a")
    bench.kafka.raises = None
    bench.fill()
    bench.kafka.settle()
    assert bench.counts() == (1, 0, 0)


def test_a_killed_process_lost_what_was_only_in_memory(tmp_path):
    bench = Bench(tmp_path)
    before = time.time_ns() // 1_000
    bench.send("a", "b", "c")
    bench.send("d", tenant="globex")
    bench.kafka.settle(1)
    bench.sender.spill()
    bench.kafka.settle()
    bench.send("e", "f")
    [loss] = bench.killed()
    assert (loss.tenant, loss.count, loss.cause) == ("acme", 2, KILLED)
    assert before <= loss.since_us <= loss.until_us <= time.time_ns() // 1_000


@pytest.mark.parametrize("keep", [False, True])
def test_an_event_that_is_being_written_does_not_count_as_lost(tmp_path, monkeypatch, keep):
    bench = Bench(tmp_path)
    bench.send("a")
    bench.sender.spill()
    lost: list[int] = []
    append = own_set.OwnSet.append

    def killed_here(own, *args, **more):
        lost.append(sum(one.emitted - one.settled - one.spilled for one in own.owner.unsettled()))
        return append(own, *args, **more)

    monkeypatch.setattr(own_set.OwnSet, "append", killed_here)
    bench.send("b", keep=keep)
    assert lost == [0], "its sender sends it again"
    assert bench.killed() == []


def test_an_event_about_the_delivery_does_not_stay_in_memory(tmp_path):
    bench = Bench(tmp_path, spool_bytes=65_536, spool_full="raise")
    with pytest.raises(SpoolFull):
        bench.send("report", keep=True, value=b"v" * 70_000)
    assert (bench.counts(), bench.kafka.offered) == ((0, 0, 0), [])


@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_a_loss_is_counted_even_if_the_process_is_killed_before_it_is_saved(tmp_path, monkeypatch, mode):
    bench = Bench(tmp_path, delivery_mode=mode)
    bench.send("a", "b", "c")
    bench.kafka.settle(1, TOO_LARGE)
    bench.kafka.settle(1)

    def full_disk(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(record_set, "write_text", full_disk)
        bench.sender.take_losses()
    assert bench.sender.own is not None
    [found] = bench.sender.own.owner.unsettled()
    assert found.emitted - found.settled - found.spilled == (2 if mode == "fast" else 1)
    bench.sender.take_losses()
    bench.kafka.settle()
    assert [(loss.count, loss.cause) for loss in bench.killed()] == [(1, "Kafka rejected the events.")]


def test_losses_of_the_same_microsecond_are_all_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)
    bench = Bench(tmp_path, delivery_mode="durable")
    bench.send("a", "b")
    for _ in range(2):
        bench.kafka.settle(1, TOO_LARGE)
        bench.sender.take_losses()
    assert bench.sender.own is not None
    assert len(bench.sender.own.losses) == 2, "the name of the file determines the id of the event that reports it"
    assert [loss.count for loss in bench.killed()] == [1, 1]


@pytest.mark.parametrize("stored", [False, True])
def test_a_process_that_is_killed_while_it_saves_a_loss_counts_it_once(tmp_path, monkeypatch, stored):
    bench = Bench(tmp_path)
    bench.send("a", "b", "c")
    bench.kafka.settle(2, TOO_LARGE)
    with monkeypatch.context() as patched:
        killed_in = owner_file.OwnerFile if stored else record_set
        patched.setattr(killed_in, "saved" if stored else "write_text", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bench.sender.take_losses()
    rejected, lost = "Kafka rejected the events.", KILLED
    expected = [(2, rejected), (1, lost)] if stored else [(3, lost)]
    assert [(loss.count, loss.cause) for loss in bench.killed()] == expected


@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_a_loss_is_counted_before_the_event_is_gone(tmp_path, monkeypatch, mode):
    bench = Bench(tmp_path, delivery_mode=mode)
    bench.send("a")
    with monkeypatch.context() as patched:
        patched.setattr(SpoolSender, "_settled", interrupted)
        with pytest.raises(KeyboardInterrupt):
            bench.kafka.settle(1, TOO_LARGE)
    assert bench.sender.own is not None
    assert [one.emitted - one.settled - one.spilled for one in bench.sender.own.owner.unsettled()] == [1]


def test_a_dropped_event_is_counted_before_it_is_off_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_SMALLEST_SEGMENT", 1_200)
    bench = Bench(tmp_path, delivery_mode="durable", spool_bytes=5_000, spool_full="drop_oldest")
    bench.kafka.room = 1
    monkeypatch.setattr(record_set.RecordSet, "done", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.send(*names(0, 30))
    assert bench.sender.own is not None
    assert [one.emitted - one.settled - one.spilled for one in bench.sender.own.owner.unsettled()] == [1]


def test_a_rejected_event_of_another_process_is_counted_by_a_process_without_events(tmp_path):
    dead = Bench(tmp_path, delivery_mode="durable")
    dead.send("x")
    dead.kafka.settle(error=TIMED_OUT)
    dead.sender.own.close_inherited()
    dead.sender.own.owner.close()
    bench = Bench(tmp_path, delivery_mode="durable")
    bench.sender.adopted = Adoption(tmp_path).oldest(None)
    bench.fill()
    bench.kafka.settle(error=TOO_LARGE)
    bench.sender.adopted.leave()
    assert [(loss.count, loss.cause) for loss in bench.killed()] == [(1, KILLED)]


def test_events_dropped_from_the_disk_count_while_the_client_has_them(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_SMALLEST_SEGMENT", 1_200)
    dead = Bench(tmp_path, delivery_mode="durable")
    dead.send("x", "y")
    dead.kafka.settle(error=TIMED_OUT)
    dead.sender.own.close_inherited()
    dead.sender.own.owner.close()
    bench = Bench(tmp_path, delivery_mode="durable", spool_bytes=5_000, spool_full="drop_oldest")
    bench.send("own")
    bench.sender.adopted = Adoption(tmp_path).oldest(bench.sender.own.path)
    bench.fill()
    assert bench.kafka.offered == ["own", "x", "y"]
    bench.kafka.room = 3
    failed = 0
    while bench.sender.unsafe < 3:
        bench.send(*names(failed, failed + 1))
        failed += 1
    bench.kafka.settle(2)
    bench.sender.take_losses()
    losses = bench.killed()
    assert sum(loss.count for loss in losses if loss.cause == KILLED) == 1, "y was neither acknowledged nor on disk"


def test_events_of_a_signal_handler_that_interrupted_a_write_are_kept(tmp_path):
    bench = Bench(tmp_path, delivery_mode="durable")
    offer = bench.kafka.offer

    def interrupted(event):
        if event.event_id == "outer" and "inner" not in bench.kafka.offered:
            bench.send("inner")
        offer(event)

    bench.sender._offer = interrupted
    bench.send("before", "outer", "after")
    assert bench.kafka.offered == ["before", "inner", "outer", "after"]
    bench.kafka.settle(error=TIMED_OUT)
    bench.fill()
    bench.kafka.settle()
    assert bench.counts() == (4, 0, 0)
    bench.sender.close()
    assert [*tmp_path.iterdir()] == []


def test_a_full_spool_has_room_again_once_kafka_has_its_events(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_SMALLEST_SEGMENT", 1_000)
    bench = Bench(tmp_path, delivery_mode="durable", spool_bytes=20_000, spool_full="block", max_block_ms=60_000)
    sent = []

    def work():
        for name in names(0, 60):
            bench.send(name)
            sent.append(name)

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        bench.kafka.settle()
        bench.sender.reclaim()
        thread.join(0.001)
    bench.kafka.settle()
    assert (sent, bench.counts()) == (names(0, 60), (60, 0, 0))


def test_a_full_spool_refuses_events_and_counts_nothing(tmp_path):
    bench = Bench(tmp_path, delivery_mode="durable", spool_bytes=1_000, spool_full="raise")
    bench.send("a")
    with pytest.raises(SpoolFull, match="since it holds 1000 bytes; the event was not accepted"):
        bench.send("b", "c", "d")
    assert bench.counts() == (0, 0, bench.sender.spooled)
    bench = Bench(tmp_path / "fast", spool_bytes=1_000)
    bench.send("a", keep=True)
    bench.send("b", "c", "d", "e")
    assert bench.sender.spooled + bench.sender.unsafe == 5, "fast events are in memory while the client has room"
    bench.kafka.room = 0
    with pytest.raises(SpoolFull):
        bench.send("f", "g", "h")
    bench.kafka.settle()
    assert bench.killed() == []


def test_the_oldest_events_are_dropped_and_counted_by_tenant(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_SMALLEST_SEGMENT", 1_200)
    bench = Bench(tmp_path, delivery_mode="durable", spool_bytes=5_000, spool_full="drop_oldest")
    bench.kafka.room = 1
    settled: list[Any] = []
    for number in range(30):
        bench.send(f"e{number}", tenant=f"t{number % 2}", on_settled=settled.append)
    delivered, failed, pending = bench.counts()
    assert (delivered, failed + pending, len(settled)) == (0, 30, failed)
    assert failed > 15
    bench.sender.take_losses()
    bench.kafka.room = 100
    bench.kafka.settle()  # the client's event was only removed from the disk
    while bench.sender.spooled:
        bench.fill()
        bench.kafka.settle()
    assert bench.counts() == (pending, failed, 0)
    assert sum(loss.count for loss in bench.killed()) == failed


def test_a_callback_that_raises_does_not_prevent_the_other_events_of_its_file_from_being_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_SMALLEST_SEGMENT", 1_200)
    bench = Bench(tmp_path, delivery_mode="durable", spool_bytes=5_000, spool_full="drop_oldest")
    bench.kafka.room = 0
    for number in range(30):
        bench.send(f"e{number}", on_settled=interrupted_with(RuntimeError))
    _, failed, pending = bench.counts()
    bench.sender.take_losses()
    assert failed + pending == 30
    assert sum(loss.count for loss in bench.killed()) == failed > 15


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # threads that other tests left do not matter
@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_no_loss_is_uncounted_wherever_a_process_is_killed(tmp_path, monkeypatch, mode):
    monkeypatch.setattr(store, "_SMALLEST_SEGMENT", 1_200)
    lines = lost_if_killed(tmp_path / "whole", mode, 0)
    for at in range(1, lines, lines // 30):
        lost_if_killed(tmp_path / str(at), mode, at)


def lost_if_killed(folder: Path, mode: str, at: int) -> int:
    """Check the losses of a process that ends at the line `at` of the spool's code. Returns the number of lines."""
    folder.mkdir()
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            ran = killed_at(at, lambda: events_with_losses(Bench(folder, **LOSING, delivery_mode=mode), writer))
            os.write(writer, f"lines {ran}\n".encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        notes = [line.split() for line in file]
    os.waitpid(child, 0)
    found = Adoption(folder).oldest(None)
    if found is None:  # the process had not created its set yet
        return 0
    records = [record for segment in found.segments.values() for record in found.records(segment)]
    on_disk = {record.event_id for record in records if found.ledger.is_waiting(record.number)}
    accepted, stored = ({name for kind, *names in notes if kind == one for name in names} for one in ("sent", "stored"))
    counted = sum(loss.count for losses in found.losses.values() for loss in losses)
    found.owner.close()
    assert counted >= len(accepted - stored - on_disk), f"killed at line {at}"
    assert at or len(accepted - stored - on_disk) > 15
    return int(notes[-1][1]) if not at else 0


def killed_at(at: int, run: Callable[[], None]) -> int:
    """Run a function until the line `at` of the spool's code, where the process ends. Returns the number of lines."""
    count, folder = 0, str(Path(store.__file__).parent)

    def line(frame, event, argument):
        nonlocal count
        count += event == "line"
        if count == at:
            os._exit(9)
        return line

    sys.settrace(lambda frame, *_: line if frame.f_code.co_filename.startswith(folder) else None)
    run()
    sys.settrace(None)
    return count


LOSING: dict[str, Any] = {"spool_bytes": 6_000, "spool_full": "drop_oldest", "spool_sync": "never"}


def events_with_losses(bench: Bench, notes: int) -> None:
    """Send events, some of which are rejected or dropped. Writes the names of those that were accepted or stored."""

    def note(kind: str, *names: str) -> None:
        os.write(notes, f"{kind} {' '.join(names)}\n".encode())

    def send(first: int, last: int) -> None:
        bench.send(*names(first, last))
        note("sent", *names(first, last))

    def settle(count: int, error: Undelivered | None = None) -> None:
        if error is None:
            note("stored", *(event.event_id for event in bench.kafka.held[:count]))
        bench.kafka.settle(count, error)

    send(0, 3)
    settle(1)
    settle(1, TOO_LARGE)
    bench.sender.sweep(time.monotonic() + SPILL_S, 1)
    send(3, 7)
    settle(1, TIMED_OUT)
    settle(2, TOO_LARGE)
    bench.sender.take_losses()
    bench.fill()
    bench.kafka.room = 6
    send(7, 30)
    bench.sender.take_losses()
    settle(2)
    bench.fill()
    settle(2, TOO_LARGE)
    bench.sender.take_losses()


def test_events_of_another_process_are_not_confused_with_own_ones_of_the_same_number(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_SMALLEST_SEGMENT", 1_200)
    dead = Bench(tmp_path, delivery_mode="durable")
    dead.send("x")
    dead.kafka.settle(error=TIMED_OUT)
    dead.sender.own.close_inherited()
    dead.sender.own.owner.close()
    bench = Bench(tmp_path, delivery_mode="durable", spool_bytes=5_000, spool_full="drop_oldest")
    bench.send("own")
    bench.sender.adopted = Adoption(tmp_path).oldest(bench.sender.own.path)
    bench.fill()
    bench.sender.acknowledged([bench.kafka.held.pop()])  # the other process's event
    assert bench.kafka.offered == ["own", "x"]
    assert not bench.sender.adopted.ledger.open
    bench.kafka.room = 1
    bench.send(*names(0, 30))  # removes the file with "own", which the client still has
    bench.kafka.settle()
    assert bench.counts()[0] == 1, "its acknowledgement counts"


def test_a_folder_that_vanishes_is_reported_by_the_event_that_needs_it(tmp_path):
    bench = Bench(tmp_path / "spool", delivery_mode="durable")
    (tmp_path / "spool").write_text("a file")
    with pytest.raises(SpoolFailed, match=r"cannot be written.*was not accepted"):
        bench.send("a")
    assert bench.counts() == (0, 0, 0)
    (tmp_path / "spool").unlink()
    bench.send("b")
    assert bench.sender.spooled == 1


@pytest.mark.parametrize("damage", ["flipped", "deleted"])
def test_events_whose_record_cannot_be_read_any_more_fail_and_are_counted(tmp_path, damage):
    bench = Bench(tmp_path, delivery_mode="durable")
    bench.kafka.room = 1
    settled: list[Any] = []
    bench.send("a", "b", "c", on_settled=settled.append)
    [segment] = tmp_path.rglob("*.segment")
    if damage == "deleted":
        segment.unlink()
    else:
        data = segment.read_bytes()
        segment.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    bench.kafka.settle()
    bench.kafka.room = 9
    bench.fill()
    bench.kafka.settle()
    lost = 2 if damage == "deleted" else 1
    assert bench.counts() == (3 - lost, lost, 0)
    assert [type(error) for error in settled if error] == [SpoolFailed] * lost
    assert (bench.sender.spooled, bench.sender.on_disk) == (0, {})
    assert sum(loss.count for rows in bench.sender.own.losses.values() for loss in rows) == lost


def test_a_flush_waits_for_the_events_on_disk_that_preceded_it(tmp_path):
    bench = Bench(tmp_path, delivery_mode="durable")
    bench.kafka.room = 1
    bench.send("a", "b")
    assert bench.tracker.flush(0).pending == 2
    bench.send("c")
    bench.kafka.room = 10
    bench.fill()
    bench.kafka.settle(2)
    assert bench.tracker.flush(0).pending == 1
    bench.fill()
    bench.kafka.settle()
    assert bench.tracker.flush(0)


def test_one_sync_serves_all_threads_that_wait(monkeypatch, tmp_path):
    started, finish = threading.Event(), threading.Event()
    written, syncs = [1], []

    def snapshot():
        syncs.append(written[0])
        started.set()
        finish.wait(30)
        return syncs[-1], -1

    group = GroupCommit(snapshot)
    threads = [threading.Thread(target=group.wait, args=(1,))]
    threads[0].start()
    started.wait(30)
    written[0] = 9
    threads += [threading.Thread(target=group.wait, args=(number,)) for number in range(2, 10)]
    for thread in threads[1:]:
        thread.start()
    finish.set()
    for thread in threads:
        thread.join(30)
    assert syncs == [1, 9]
    group.wait(9)
    assert syncs == [1, 9]


def test_events_are_synced_before_send_returns(tmp_path, monkeypatch):
    synced = []
    bench = Bench(tmp_path, delivery_mode="durable", spool_sync="always")
    monkeypatch.setattr("auditlane.sdk.spool.group_commit._sync", synced.append)
    bench.send("a")
    assert len(synced) == 1
    monkeypatch.setattr("auditlane.sdk.spool.group_commit._sync", _failing)
    with pytest.raises(SpoolFailed, match="cannot be synced to disk"):
        bench.send("b")


def _failing(descriptor):
    raise OSError(5, "Input/output error")


def test_events_without_a_contract_are_held_in_order_and_delay_no_other_tenant(tmp_path):
    bench = Bench(tmp_path)
    bench.send("a1", "a2", unencoded=True)
    bench.send("a3")
    bench.send("b1", "b2", tenant="globex")
    assert (bench.kafka.offered, bench.sender.spooled) == (["b1", "b2"], 5)
    bench.kafka.settle()
    bench.fill()
    bench.sender.release()
    bench.fill()
    assert (bench.kafka.offered, bench.counts(), bench.sender.held.keys()) == (["b1", "b2"], (2, 0, 3), {"acme"})
    assert bench.sender.delayed(time.monotonic(), 10.0) == {"acme": 3}, "globex is not delayed"
    bench.contracts.add("acme")
    bench.send("a4")
    bench.sender.release()
    bench.fill()
    assert bench.kafka.offered == ["b1", "b2", "a1", "a2", "a3", "a4"]
    assert [event.value[:8] for event in bench.kafka.held] == [b"encoded ", b"encoded ", b"vvvvvvvv", b"vvvvvvvv"]
    bench.kafka.settle()
    assert (bench.counts(), bench.sender.spooled, bench.tracker.pending_bytes) == ((6, 0, 0), 0, 0)
    assert bench.killed() == []


@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_an_event_that_its_contract_rejects_later_is_set_aside_and_reported(tmp_path, mode):
    bench = Bench(tmp_path, delivery_mode=mode)
    settled: list[Any] = []
    bench.send("a", unencoded=True, value=b"{invalid}", on_settled=settled.append)
    bench.send("b", unencoded=True)
    bench.contracts.add("acme")
    bench.sender.release()
    bench.fill()
    bench.kafka.settle()
    assert (bench.kafka.offered, bench.counts(), bench.reported) == (["b"], (1, 1, 0), ["a"])
    [error] = settled
    assert (type(error), error.field) == (InvalidEvent, "project")
    assert (tmp_path / "rejected" / "acme-a").read_bytes() == b"{invalid}"
    bench.sender.take_losses()
    [loss] = bench.killed()
    assert (loss.tenant, loss.count, loss.cause) == ("acme", 1, "The tenant's contract rejected the events.")


def test_a_killed_process_leaves_events_without_a_contract_to_the_next(tmp_path):
    first = Bench(tmp_path, delivery_mode="durable")
    first.send("a", "b", unencoded=True)
    assert first.sender.own is not None
    first.sender.own.close_inherited()
    first.sender.own.owner.close()
    bench = Bench(tmp_path, delivery_mode="durable")
    bench.sender.adopted = Adoption(tmp_path).oldest(None)
    bench.fill()
    assert (bench.kafka.offered, bench.sender.held.keys()) == ([], {"acme"})
    bench.contracts.add("acme")
    bench.sender.release()
    bench.fill()
    bench.kafka.settle()
    assert (bench.kafka.offered, bench.sender.adopted.ledger.open) == (["a", "b"], 0)


def test_events_without_a_contract_are_dropped_like_others_when_the_spool_is_full(tmp_path):
    bench = Bench(tmp_path, delivery_mode="durable", spool_bytes=1 << 20, spool_full="drop_oldest")
    bench.send(*names(0, 30), unencoded=True, value=b"v" * 100_000)
    delivered, failed, pending = bench.counts()
    assert (delivered, failed + pending, failed >= 20) == (0, 30, True)
    bench.contracts.add("acme")
    bench.sender.release()
    while bench.sender.spooled:
        bench.fill()
        bench.kafka.settle()
    assert bench.counts() == (pending, failed, 0)
    bench.sender.take_losses()
    assert sum(loss.count for loss in bench.killed()) == failed


def test_the_statistics_describe_what_is_on_disk(tmp_path):
    bench = Bench(tmp_path, delivery_mode="durable")
    assert bench.sender.stats(5).events == 0
    bench.send("a", unencoded=True)
    bench.send("b", "c", tenant="globex")
    assert bench.sender.own is not None
    first = next(bench.sender.own.records(bench.sender.own.segments[1])).emitted_us
    found = bench.sender.stats(first + 3_000_000)
    assert (found.events, found.held, found.oldest_s, found.limit) == (3, 1, 3.0, 256 << 20)
    assert found.size == bench.sender.own.size > 900
    bench.kafka.settle()
    bench.contracts.add("acme")
    bench.sender.release()
    bench.fill()
    assert bench.sender.stats(first + 4_000_000).oldest_s == 4.0, "it has been read, but not acknowledged"
    bench.kafka.settle()
    found = bench.sender.stats(first + 5_000_000)
    assert (found.events, found.held, found.oldest_s, found.sent) == (0, 0, 0.0, 1)


@pytest.mark.parametrize("mode", ["fast", "durable"])
@pytest.mark.parametrize("together", [2, 256])
def test_each_event_of_a_batch_gets_its_own_outcome(tmp_path, monkeypatch, mode, together):
    monkeypatch.setattr(sender, "_TOGETHER", together)
    monkeypatch.setattr(settler, "_AWAITED_TOGETHER", together)
    bench, outcomes = Bench(tmp_path, delivery_mode=mode), Outcomes()
    bench.kafka.room = 3
    assert bench.send_all(*names(0, 5), outcomes=outcomes) == []
    assert sorted(outcomes.on_disk) == [0, 1, 2, 3, 4], "the client had no room for the last ones"
    bench.kafka.settle(1)
    bench.kafka.settle(1, TOO_LARGE)
    bench.kafka.settle(1, TIMED_OUT)
    assert [*outcomes.settled] == [0, 1]
    bench.fill()
    bench.kafka.settle()
    assert bench.kafka.offered == [*names(0, 3), *names(2, 5)]
    assert {index: type(error) for index, error in outcomes.settled.items() if error} == {1: DeliveryFailed}
    assert ([*outcomes.settled], bench.reported) == ([0, 1, 2, 3, 4], ["e1"])
    assert (bench.counts(), bench.sender.spooled, bench.tracker.pending_bytes) == ((4, 1, 0), 0, 0)


def test_a_batch_is_acknowledged_from_memory(tmp_path):
    bench, outcomes = Bench(tmp_path), Outcomes()
    bench.send("a")
    bench.send_all("b", "c", outcomes=outcomes)
    bench.send("d")
    assert (bench.sender.unsafe, bench.sender.spooled) == (4, 0)
    bench.kafka.settle()
    assert (bench.kafka.offered, outcomes.settled, outcomes.on_disk) == (["a", "b", "c", "d"], {0: None, 1: None}, [])
    assert (bench.counts(), bench.killed()) == ((4, 0, 0), [])


@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_only_the_events_of_a_batch_that_find_no_room_are_refused(tmp_path, mode):
    bench, outcomes = Bench(tmp_path, delivery_mode=mode, spool_bytes=2_000, spool_full="raise"), Outcomes()
    bench.kafka.room = 1
    refused = bench.send_all(*names(0, 6), outcomes=outcomes)
    assert {type(error) for _, error in refused} == {SpoolFull}
    accepted = sorted({*range(6)} - {index for index, _ in refused})
    assert 1 < len(accepted) < 6
    assert bench.counts() == (0, 0, len(accepted))
    bench.kafka.room = 10
    bench.kafka.settle()
    bench.fill()
    bench.kafka.settle()
    assert sorted(outcomes.settled) == accepted
    assert (bench.counts(), bench.tracker.pending_bytes) == ((len(accepted), 0, 0), 0)


def test_a_batch_is_refused_as_a_whole_after_the_client_was_closed(tmp_path):
    bench = Bench(tmp_path)
    bench.tracker.flush(0, seal=True)
    refused = bench.send_all("a", "b", outcomes=Outcomes())
    assert [(index, type(error)) for index, error in refused] == [(0, ClientClosed), (1, ClientClosed)]


def test_the_rest_of_a_batch_is_refused_once_the_client_is_closed(tmp_path):
    bench = Bench(tmp_path, delivery_mode="durable", spool_bytes=2_000, max_block_ms=60_000)
    bench.kafka.room, refused = 1, []
    thread = threading.Thread(target=lambda: refused.extend(bench.send_all(*names(0, 6), outcomes=Outcomes())))
    thread.start()
    assert bench.sender.wake.wait(60), "it waits for room"
    bench.sender.close()
    thread.join()
    assert [(index, type(error)) for index, error in refused] == [(4, ClientClosed), (5, ClientClosed)]
    assert (bench.sender.own, bench.counts()) == (None, (0, 0, 4))


def test_the_events_of_a_batch_wait_for_room_together(tmp_path, monkeypatch):
    bench = Bench(tmp_path, delivery_mode="durable", spool_bytes=2_000, max_block_ms=50)
    bench.kafka.room, waits, wait = 1, [], bench.sender._room.wait
    monkeypatch.setattr(bench.sender._room, "wait", lambda timeout_s: waits.append(timeout_s) or wait(timeout_s))
    refused = bench.send_all(*names(0, 20), outcomes=Outcomes())
    assert len(refused) == 16
    assert sum(waits) < 0.1


@pytest.mark.parametrize("mode", ["fast", "durable"])
def test_events_after_one_that_was_interrupted_do_not_count(tmp_path, mode):
    bench, outcomes = Bench(tmp_path, delivery_mode=mode), Outcomes()
    offer = bench.kafka.offer

    def interrupted(event):
        if event.event_id == "b":
            raise KeyboardInterrupt
        offer(event)

    bench.sender._offer = interrupted
    with pytest.raises(KeyboardInterrupt):
        bench.send_all("a", "b", "c", outcomes=outcomes)
    assert bench.counts() == (0, 0, 1)
    assert bench.tracker.flush(0).pending == 1, "no event counts as being handed over"
    bench.kafka.settle()
    assert (outcomes.settled, bench.counts()) == ({0: None}, (1, 0, 0))


def test_a_batch_is_synced_once_before_it_is_accepted(tmp_path, monkeypatch):
    bench, synced, outcomes = Bench(tmp_path, delivery_mode="durable", spool_sync="always"), [], Outcomes()
    monkeypatch.setattr(group_commit, "_sync", synced.append)
    assert bench.send_all("a", "b", "c", outcomes=outcomes) == []
    assert (len(synced), outcomes.on_disk) == (1, [0, 1, 2])

    def failing(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(group_commit, "_sync", failing)
    refused = bench.send_all("d", "e", outcomes=outcomes)
    assert [(index, type(error)) for index, error in refused] == [(0, SpoolFailed), (1, SpoolFailed)]
    assert outcomes.on_disk == [0, 1, 2], "the others may be lost"


def test_events_from_memory_are_synced_before_they_count_as_spooled(tmp_path, monkeypatch):
    bench, synced, outcomes = Bench(tmp_path, spool_sync="always"), [], Outcomes()
    monkeypatch.setattr(group_commit, "_sync", lambda _: synced.append([*outcomes.on_disk]))
    bench.send_all("a", "b", outcomes=outcomes)
    bench.sender.sweep(time.monotonic(), 1)
    assert synced == []
    bench.sender.sweep(time.monotonic() + SPILL_S, 1)
    assert (synced, outcomes.on_disk) == ([[]], [0, 1])
    bench.sender.sweep(time.monotonic() + SPILL_S, 1)
    bench.kafka.settle()
    assert (synced, outcomes.settled) == ([[]], {0: None, 1: None})


def test_acknowledged_events_are_settled_together_across_flushes_tenants_and_segments(tmp_path):
    bench = Bench(tmp_path, delivery_mode="durable", spool_bytes=1 << 20)
    for tenant in ("acme", "globex", "acme"):
        bench.send(*names(0, 60), tenant=tenant, value=b"v" * 2_000)
        bench.tracker.flush(0)
    own = bench.sender.own
    assert own is not None
    assert len(own.segments) > 1, "a segment has room for 128 kB"
    bench.kafka.held.reverse()
    bench.kafka.settle(50)
    assert (bench.sender.spooled, bench.sender.on_disk) == (130, {"acme": 70, "globex": 60})
    bench.kafka.settle()
    assert (bench.sender.spooled, bench.sender.on_disk, bench.counts()) == (0, {}, (180, 0, 0))
    assert own.owner.low == 180
    assert [segment.open for segment in own.segments.values() if segment.open] == []


def test_settling_waits_for_a_thread_that_emits_only_once_it_is_late(tmp_path, monkeypatch):
    monkeypatch.setattr(Bench, "in_batches", False)  # their outcomes would be awaited
    bench = Bench(tmp_path, delivery_mode="durable")
    bench.send("a", "b", "c")
    inside, leave = threading.Event(), threading.Event()

    def emit():
        with bench.sender.entered():
            inside.set()
            leave.wait(60)

    thread = threading.Thread(target=emit)
    thread.start()
    assert inside.wait(60)
    bench.kafka.settle(2)
    assert (bench.sender.unsettled, bench.sender.spooled) == (True, 3)
    bench.sender.acknowledged([])
    assert (bench.sender.unsettled, bench.sender.spooled) == (True, 3), "it did not wait"
    monkeypatch.setattr(settler, "_LATE_S", 0.0)
    threading.Timer(0.05, leave.set).start()
    bench.kafka.settle()
    assert (bench.sender.unsettled, bench.sender.spooled, bench.counts()) == (False, 0, (3, 0, 0))
    thread.join()


def test_unsettled_events_are_settled_when_the_client_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(Bench, "in_batches", False)  # their outcomes would be awaited
    bench = Bench(tmp_path, delivery_mode="durable")
    bench.send("a")
    with bench.sender.entered():
        thread = threading.Thread(target=bench.kafka.settle)
        thread.start()
        thread.join()
    assert bench.sender.unsettled
    bench.sender.close()
    assert (bench.sender.unsettled, bench.counts(), [*tmp_path.iterdir()]) == (False, (1, 0, 0), [])
