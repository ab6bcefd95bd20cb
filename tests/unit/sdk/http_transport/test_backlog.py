"""Tests the order in which events are sent, by comparing it with a simple model."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from auditlane.sdk.http_transport.backlog import Backlog, Item


def item(tenant: str, number: int, size: int = 10, deadline: float = 1e9) -> Item:
    return Item(f"{tenant}{number}", tenant, b"x" * size, lambda _: None, deadline)


def names(items: list[Item]) -> list[str]:
    return [one.event_id for one in items]


def test_a_request_is_limited_in_events_and_bytes() -> None:
    backlog = Backlog()
    for number in range(10):
        backlog.add(item("a", number))
    assert names(backlog.take(0, 3, 1_000)) == ["a0", "a1", "a2"]
    assert names(backlog.take(0, 100, 25)) == ["a3", "a4"]
    assert names(backlog.take(0, 100, 1)) == ["a5"], "an event larger than a request is sent alone"


def test_a_tenant_on_hold_waits_and_others_do_not() -> None:
    backlog = Backlog()
    for number in range(2):
        backlog.add(item("a", number))
        backlog.add(item("b", number))
    backlog.hold([one for one in backlog.take(0, 100, 1_000) if one.tenant == "a"], until=10)
    backlog.add(item("a", 2))
    backlog.add(item("b", 2))
    assert names(backlog.take(1, 100, 1_000)) == ["b2"]
    assert backlog.next_at() == 10
    assert names(backlog.take(10, 100, 1_000)) == ["a0", "a1", "a2"]
    assert not backlog
    assert backlog.next_at() is None


def test_events_expire_on_hold_too() -> None:
    backlog = Backlog()
    backlog.hold([item("a", 0, deadline=5), item("a", 1, deadline=7)], until=100)
    backlog.add(item("b", 0, deadline=6))
    assert names(backlog.expired(6)) == ["b0", "a0"]
    assert names(backlog.clear()) == ["a1"]
    assert not backlog


@given(st.integers(0, 2**32))
def test_every_event_is_sent_once_in_the_order_of_its_tenant(seed: int) -> None:
    """At random, requests fail completely or partly. A failed event is sent again."""
    chance, backlog, now = random.Random(seed), Backlog(), 0.0
    added: list[str] = []
    done: list[str] = []
    counts = dict.fromkeys("abc", 0)
    while len(done) < 60:
        now += chance.random()
        for _ in range(chance.randrange(4) if len(added) < 60 else 0):
            tenant = chance.choice("abc")
            backlog.add(item(tenant, counts[tenant]))
            added.append(f"{tenant}{counts[tenant]}")
            counts[tenant] += 1
        taken = backlog.take(now, chance.randrange(1, 8), chance.randrange(1, 100))
        if chance.random() < 0.3:
            backlog.put_back(taken)
            continue
        # The gateway accepts the first events of each tenant, and the others later.
        keep = {tenant: chance.randrange(4) for tenant in "abc"}
        later = []
        for one in taken:
            keep[one.tenant] -= 1
            if keep[one.tenant] >= 0:
                done.append(one.event_id)
            else:
                later.append(one)
        backlog.hold(later, now + chance.random() * 3)
        if len(added) >= 60 and not backlog:
            break
    for tenant in "abc":
        sent = [name for name in done if name[0] == tenant]
        assert sent == [name for name in added if name[0] == tenant][: len(sent)]
