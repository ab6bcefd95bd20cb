"""Tests delivery events, and the adoption of record sets from other processes."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from fixtures.workers import wait_until

from auditlane.contract.vocabulary import ACTIONS
from auditlane.runtime.errors import InvalidEvent, RegistryUnavailable, SpoolFull
from auditlane.sdk.spool import adoption
from auditlane.sdk.spool.adoption import Adoption
from auditlane.sdk.spool.delays import DELAYED_S, Delays
from auditlane.sdk.spool.frames import header
from auditlane.sdk.spool.keeper import RESULTS, OwnEvent, SpoolKeeper
from auditlane.sdk.spool.ledger import Ledger
from auditlane.sdk.spool.losses import FULL, Loss
from auditlane.sdk.spool.own_set import OwnSet


def test_the_events_have_the_vocabularys_outcomes_and_metadata():
    for action, result in RESULTS.items():
        known = ACTIONS[action]
        assert (known.outcome, known.severity) == result
        assert known.resource == OwnEvent("acme", action, {}, "id", datetime.now(UTC)).values("")["resource"]
    assert set(Loss("acme", 1, 1, 1, FULL).metadata()) == set(ACTIONS["events.dropped"].required)
    [change] = delayed(Delays(), Ledger())
    assert set(change.metadata()) == set(ACTIONS["delivery.delayed"].required)
    assert set(change.metadata()) == set(ACTIONS["delivery.recovered"].required)


def delayed(delays: Delays, ledger: Ledger) -> list[Any]:
    """Let ten seconds pass without an acknowledgement from Kafka."""
    ledger.add(ledger.last + 1, waiting=False)
    assert delays.changes(ledger, {"acme": 1}, 100.0, 5_000_000) == []
    assert delays.changes(ledger, {"acme": 1}, 99.9 + DELAYED_S, 1) == []
    return delays.changes(ledger, {"acme": 1}, 100.0 + DELAYED_S, 1)


def test_a_delay_is_reported_once_for_each_tenant_and_when_it_ends():
    delays, ledger = Delays(), Ledger()
    [begun] = delayed(delays, ledger)
    assert (begun.tenant, begun.action, begun.spooled, begun.since_us) == ("acme", "delivery.delayed", 1, 5_000_000)
    ledger.add(2, waiting=True)
    [other] = delays.changes(ledger, {"acme": 4, "globex": 2}, 120.0, 1)
    assert (other.tenant, other.spooled) == ("globex", 2)
    ledger.done(1)
    assert delays.changes(ledger, {"acme": 3, "globex": 2}, 121.0, 1) == [], "a record still waits"
    ledger.sent(2)
    ledger.done(2)
    ended = delays.changes(ledger, {}, 122.0, 1)
    assert [(one.tenant, one.action, one.spooled) for one in ended] == [
        ("acme", "delivery.recovered", 4),
        ("globex", "delivery.recovered", 2),
    ]
    assert {one.since_us for one in ended} == {5_000_000}
    assert delays.changes(ledger, {}, 200.0, 1) == []


def test_steady_traffic_is_not_a_delay():
    delays, ledger = Delays(), Ledger()
    for number in range(1, 100):
        ledger.add(number, waiting=False)
        assert delays.changes(ledger, {"acme": 1}, float(number), 1) == []
        ledger.done(number - 1)


class Sender:
    """The parts of a sender that a keeper uses."""

    def __init__(self, own: OwnSet) -> None:
        self.own, self.adopted, self.others_bytes = own, None, 0
        self.held: dict[str, Exception] = {}
        self.dropped: Counter[str] = Counter()
        self.set_aside = 0
        self.wake = threading.Event()

    def sweep(self, now, now_us): ...

    def fill(self, now): ...

    def delayed(self, now, delayed_s):
        return {}

    def reclaim(self): ...

    def take_losses(self): ...

    def entered(self):
        return threading.Lock()


def keep(own: OwnSet, emit) -> SpoolKeeper:
    return SpoolKeeper(Sender(own), emit, own.path.parent, "unassigned", sync=False)


def test_a_loss_is_reported_until_that_succeeds_and_to_another_tenant_if_the_contract_rejects_it(tmp_path):
    own = OwnSet.create(tmp_path, segment_bytes=1_000, syncs=False)
    own.lost("a", [Loss("acme", 3, 10**15, 2 * 10**15, FULL), Loss("", 1, 10**15, 10**15, FULL)])
    emitted: list[OwnEvent] = []
    problems: list[Exception] = [RegistryUnavailable("It is away."), InvalidEvent("project is required.")]

    def emit(event):
        if event.tenant == "acme":
            raise problems.pop(0)
        emitted.append(event)

    keeper = keep(own, emit)
    wait_until(lambda: not own.losses)
    keeper.stop()
    assert [(one.tenant, one.metadata["count"]) for one in emitted] == [("unassigned", "1"), ("unassigned", "3")]
    assert emitted[1].metadata["tenant"] == "acme"
    assert "tenant" not in emitted[0].metadata
    assert emitted[1].event_id == Loss("acme", 9, 1, 1, FULL).event_id(f"{own.path.name}/a.lost")
    assert keeper._emitted == set()
    own.leave()
    assert [*tmp_path.iterdir()] == []


def test_a_tenant_without_a_contract_does_not_block_the_reports_of_others(tmp_path):
    own = OwnSet.create(tmp_path, segment_bytes=1_000, syncs=False)
    keeper = keep(own, None)
    keeper.stop()
    own.lost("a", [Loss("globex", 1, 1, 1, FULL), Loss("acme", 2, 1, 1, FULL)])
    own.lost("b", [Loss("globex", 3, 1, 1, FULL)])
    now, emitted, away = datetime.now(UTC), [], RegistryUnavailable("It is away.")
    for tenant, action in (("acme", "delayed"), ("globex", "delayed"), ("acme", "recovered")):
        keeper._unreported.append(OwnEvent(tenant, f"delivery.{action}", {}, "id", now))
    available = {"globex"}

    def emit(event):
        if event.tenant not in available:
            raise away
        if len(emitted) == full_after:
            raise SpoolFull("It is full.")
        emitted.append((event.tenant, event.action, event.metadata.get("count")))

    keeper._emit = emit
    full_after = 0
    with pytest.raises(SpoolFull):
        keeper._report_all()
    full_after = -1
    keeper._report_all()
    keeper._sender.held["acme"] = away
    keeper._report_all()
    dropped = [("globex", "events.dropped", "1"), ("globex", "events.dropped", "3")]
    assert emitted == [("globex", "delivery.delayed", None), *dropped]
    assert (list(own.losses), keeper._sender.dropped.total()) == (["a.lost"], 3)
    available.add("acme")
    keeper._sender.held.clear()
    emitted.clear()
    keeper._report_all()
    assert emitted == [
        ("acme", "delivery.delayed", None),
        ("acme", "delivery.recovered", None),
        ("acme", "events.dropped", "2"),
    ]
    assert (own.losses, keeper._emitted, keeper._unreported) == ({}, set(), [])
    own.leave()


def abandoned(folder) -> OwnSet:
    """Return the record set of a killed process."""
    own = OwnSet.create(folder, segment_bytes=1_000, syncs=False)
    own.append("acme", "id", "t", b"k", b"v", (), 1, waiting=True)
    own.close_inherited()
    own.owner.close()
    return own


def test_the_oldest_set_is_taken_over_and_the_others_are_measured(tmp_path, monkeypatch):
    times = iter(range(10**9, 10**10, 10**9))
    monkeypatch.setattr(adoption.folder.time, "time_ns", lambda: next(times))
    first, second = abandoned(tmp_path), abandoned(tmp_path)
    living = OwnSet.create(tmp_path, segment_bytes=1_000, syncs=False)
    found = Adoption(tmp_path).oldest(living.path)
    assert found is not None
    assert found.path == first.path
    assert Adoption(tmp_path).size(living.path) == sum(adoption.folder.size(one.path) for one in (first, second))
    other = Adoption(tmp_path).oldest(None)
    assert other is not None
    assert other.path == second.path, "the first is locked"
    for one in (found, other):
        one.owner.close()
    living.leave()


def test_sets_that_cannot_be_used_are_left_and_logged_once(tmp_path, monkeypatch):
    messages: list[str] = []
    monkeypatch.setattr(adoption, "log_later", lambda level, message, *arguments: messages.append(message % arguments))
    times = iter(range(10**9, 10**10, 10**9))
    monkeypatch.setattr(adoption.folder.time, "time_ns", lambda: next(times))
    newer, foreign, fine = (abandoned(tmp_path) for _ in range(3))
    (newer.path / "00000009.segment").write_bytes(header(2))

    class Owner(adoption.OwnerFile):
        @classmethod
        def adopt(cls, folder):
            if folder == foreign.path:
                raise PermissionError
            return super().adopt(folder)

    monkeypatch.setattr(adoption, "OwnerFile", Owner)
    looks = Adoption(tmp_path)
    for _ in range(2):
        found = looks.oldest(None)
        assert found is not None
        assert found.path == fine.path
        found.owner.close()
    assert len(messages) == 2
    assert [("newer version" in one, "another user" in one) for one in sorted(messages, key=len, reverse=True)] == [
        (True, False),
        (False, True),
    ]
    assert newer.path.exists()


def test_a_set_without_an_owner_file_is_taken_over_once_it_is_old(tmp_path):
    own = abandoned(tmp_path)
    (own.path / "owner").rename(own.path / "owner.new")
    empty = tmp_path / "0-0.set"
    empty.mkdir()
    (empty / "owner.new").touch()
    assert Adoption(tmp_path).oldest(None) is None, "a process may be creating it"
    for path in (own.path, empty):
        os.utime(path, (time.time() - 600, time.time() - 600))
    found = Adoption(tmp_path).oldest(None)
    assert found is not None
    assert (found.path, found.ledger.waiting, empty.exists()) == (own.path, 1, False)
    found.owner.close()


def test_a_set_whose_events_wait_for_a_contract_does_not_block_the_others(tmp_path, monkeypatch):
    times = iter(range(10**9, 10**10, 10**9))
    monkeypatch.setattr(adoption.folder.time, "time_ns", lambda: next(times))
    first, second = abandoned(tmp_path), abandoned(tmp_path)
    own = OwnSet.create(tmp_path, segment_bytes=1_000, syncs=False)
    monkeypatch.undo()
    keeper = keep(own, None)
    keeper.stop()
    keeper._look(1e6)
    found = keeper._sender.adopted
    assert found.path == first.path
    [segment] = found.segments.values()
    found.hold(1, segment)
    since = keeper._adopted_at
    keeper._look(since + 29)
    assert keeper._sender.adopted is found
    keeper._look(since + 30)
    assert keeper._sender.adopted.path == second.path
    keeper._look(since + 90)
    assert keeper._sender.adopted.path == second.path, "it has a record to send"
    keeper._sender.adopted.owner.close()
    own.leave()


@pytest.mark.parametrize("name", sorted(RESULTS))
def test_an_event_names_its_service_if_it_has_a_name(name):
    now = datetime.now(UTC)
    values = OwnEvent("acme", name, {"count": "1"}, "id", now).values("shop")
    assert (values["source"], values["resource_id"], values["metadata"]) == ("shop", "shop", {"count": "1"})
    assert "source" not in OwnEvent("acme", name, {}, "id", now).values("")
