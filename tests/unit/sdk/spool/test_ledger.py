"""Tests the states of the records in a ledger by comparing them with a plain dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from auditlane.sdk.spool.ledger import Ledger


class LedgerMachine(RuleBasedStateMachine):
    """Applies every change to both a ledger and a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(3)
        self.states: dict[int, str] = {}
        self.last = 3

    @rule(skipped=st.integers(0, 2), waiting=st.booleans())
    def add(self, skipped, waiting):
        self.last += 1 + skipped
        self.ledger.add(self.last, waiting=waiting)
        self.states[self.last] = "waiting" if waiting else "sent"

    @rule(data=st.data())
    def sent(self, data):
        number = data.draw(st.integers(1, self.last + 2))
        self.ledger.sent(number)
        if self.states.get(number) == "waiting":
            self.states[number] = "sent"

    @rule(data=st.data())
    def hold(self, data):
        number = data.draw(st.integers(1, self.last + 2))
        assert self.ledger.hold(number) == (self.states.get(number) == "waiting")
        if self.states.get(number) == "waiting":
            self.states[number] = "held"

    @rule()
    def release(self):
        self.ledger.release()
        self.states = {number: state.replace("held", "waiting") for number, state in self.states.items()}

    @rule(data=st.data())
    def failed(self, data):
        number = data.draw(st.integers(1, self.last + 2))
        self.ledger.failed(number)
        if self.states.get(number) == "sent":
            self.states[number] = "waiting"

    @rule(data=st.data())
    def done(self, data):
        number = data.draw(st.integers(1, self.last + 2))
        assert self.ledger.done(number) == (self.states.pop(number, None) is not None)

    @rule(data=st.data())
    def all_done(self, data):
        numbers = data.draw(st.lists(st.integers(1, self.last + 2), min_size=1, unique=True))
        are_sent = all(self.states.get(number) == "sent" for number in numbers)
        assert self.ledger.all_done(numbers) == are_sent
        if are_sent:
            self.states = {number: state for number, state in self.states.items() if number not in numbers}

    @invariant()
    def they_agree(self):
        assert self.ledger.open == len(self.states)
        waiting = [number for number, state in self.states.items() if state == "waiting"]
        assert self.ledger.waiting == len(waiting)
        assert self.ledger.held == [*self.states.values()].count("held")
        assert all(self.ledger.is_stored(number) == (state != "sent") for number, state in self.states.items())
        assert self.ledger.waiting_between(0, self.last + 1) == waiting
        assert all(number > self.ledger.low for number in self.states), "nothing at or below `low` is open"
        assert self.ledger.last <= self.last


TestLedger = LedgerMachine.TestCase


@given(st.permutations(range(1, 40)))
def test_low_reaches_the_end_in_whatever_order_records_are_done(order):
    ledger = Ledger()
    for number in range(1, 40):
        ledger.add(number, waiting=False)
    done: set[int] = set()
    for number in order:
        ledger.done(number)
        done.add(number)
        assert ledger.low == next(n for n in range(41) if n + 1 not in done)


def test_states_are_dropped_once_they_are_many():
    ledger = Ledger()
    for number in range(1, 200_001):
        ledger.add(number, waiting=False)
        ledger.done(number)
    assert (ledger.low, ledger.last, ledger.open) == (200_000, 200_000, 0)
    assert len(ledger._states) < 100_000
    ledger.add(200_001, waiting=True)
    assert ledger.is_waiting(200_001)


def test_a_number_that_a_signal_handler_took_is_added_later():
    ledger = Ledger()
    ledger.add(2, waiting=False)
    ledger.add(1, waiting=True)
    assert (ledger.open, ledger.waiting, ledger.low) == (2, 1, 0)
