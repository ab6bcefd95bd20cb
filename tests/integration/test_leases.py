"""Tests leases on the real engine. Only one process holds a lease, and its state is passed to the next process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import urllib3
from fixtures.workers import wait_until
from querying import Store, store

from auditlane.runtime.errors import StoreUnavailable
from auditlane.store.leases import Lease

LONG, SHORT = timedelta(hours=1), timedelta(milliseconds=200)


@pytest.fixture(scope="module")
def filled(clickhouse: str) -> Iterator[Store]:
    with store(clickhouse) as made:
        yield made


@pytest.fixture
def lease(filled: Store, unique: str) -> Callable[..., Lease]:
    """Provide a function that creates leases with the same name, as different processes would."""

    def made(duration: timedelta = LONG, client: Any = filled.client) -> Lease:
        return Lease(lambda: client, filled.database, unique, duration=duration)

    return made


def test_one_holds_it_and_renews_it_with_its_state(lease: Callable[..., Lease]) -> None:
    one, other = lease(), lease()
    nobody = one.newest()
    assert (nobody.epoch, nobody.expired, nobody.state) == (0, True, "")
    assert one.claim(nobody, "first")
    assert not other.claim(nobody, "too late")
    held = other.newest()
    assert (held.epoch, held.owner, held.expired, held.state) == (1, one.owner, False, "first")
    assert one.claim(held, "second")
    assert (other.newest().epoch, other.newest().state) == (2, "second")
    assert not other.claim(held, "too late as well"), "its owner has renewed it since"


def test_another_takes_it_when_it_expires_or_is_released(lease: Callable[..., Lease]) -> None:
    one, other = lease(SHORT), lease()
    assert one.claim(one.newest(), "kept")
    wait_until(lambda: other.newest().expired)
    found = other.newest()
    assert (found.owner, found.state) == (one.owner, "kept")
    assert other.claim(found, found.state)
    assert not one.claim(found, "of the past")
    other.release(other.newest(), "passed on")
    last = one.newest()
    assert (last.expired, last.state) == (True, "passed on")
    assert one.claim(last, "")


def test_of_many_at_once_one_takes_it(lease: Callable[..., Lease]) -> None:
    leases = [lease() for _ in range(8)]
    for _ in range(5):
        before, start = leases[0].newest(), threading.Barrier(len(leases))

        def claim(one: Lease, before: Any = before, start: threading.Barrier = start) -> bool:
            start.wait(60)
            return one.claim(before, "")

        with ThreadPoolExecutor(len(leases)) as pool:
            assert sorted(pool.map(claim, leases)) == [False] * 7 + [True]


def test_a_claim_whose_response_was_lost_is_found_again(lease: Callable[..., Lease], filled: Store) -> None:
    class Cut:
        def query(self, *arguments: Any, **named: Any) -> Any:
            return filled.client.query(*arguments, **named)

        def insert(self, *arguments: Any, **named: Any) -> None:
            filled.client.insert(*arguments, **named)
            raise urllib3.exceptions.ProtocolError("cut")

    cut = lease(client=Cut())
    with pytest.raises(StoreUnavailable):
        cut.claim(cut.newest(), "sent")
    assert (cut.newest().epoch, cut.newest().owner, cut.newest().state) == (1, cut.owner, "sent")


def test_the_table_keeps_the_newest_claim_alone(lease: Callable[..., Lease], filled: Store) -> None:
    one = lease()
    for number in range(5):
        assert one.claim(one.newest(), str(number))
    filled.client.command(f"OPTIMIZE TABLE {filled.database}.leases FINAL")
    assert (one.newest().epoch, one.newest().state) == (5, "4")
    rows = filled.client.query(f"SELECT count() FROM {filled.database}.leases WHERE owner = '{one.owner}'").result_rows
    assert rows == [(1,)]
