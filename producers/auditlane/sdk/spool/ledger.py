"""Each record's state in a set: done, sent, waiting to be sent, or held. Performs no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_DONE: Final = 0
_SENT: Final = 1
_WAITING: Final = 2
_HELD: Final = 3
_RELEASED: Final = bytes([_DONE, _SENT, _WAITING, _WAITING]).ljust(256, b"\0")  # each state after a release
_TRIMMED: Final = 65_536  # number of states dropped in one step


class Ledger:
    """Stores one byte per record, except for the first records if they are all done. Not thread-safe."""

    def __init__(self, low: int = 0) -> None:
        """Create a set's ledger. Records up to number `low` count as done."""
        self.low = low
        self.open = 0  # number of records that are not done
        self.waiting = 0  # number of open records that are waiting to be sent
        self.held = 0  # number of open records that must not be sent before `release`
        self._first = low + 1  # number of the first state's record
        self._states = bytearray()

    @property
    def last(self) -> int:
        """The highest number added so far."""
        return self._first + len(self._states) - 1

    def add(self, number: int, waiting: bool) -> None:
        """Add a record that is waiting or was sent. Skipped numbers count as done."""
        index, states = number - self._first, self._states
        state = _WAITING if waiting else _SENT
        if index == len(states):
            states.append(state)
        else:
            states.extend(bytes(max(index + 1 - len(states), 0)))
            states[index] = state
        self.open += 1
        if waiting:
            self.waiting += 1

    def is_waiting(self, number: int) -> bool:
        """Return whether this record is waiting to be sent."""
        return self._state(number) == _WAITING

    def is_stored(self, number: int) -> bool:
        """Return whether this record is waiting or held, and so is nowhere but on disk."""
        return self._state(number) in (_WAITING, _HELD)

    def hold(self, number: int) -> bool:
        """Hold a waiting record until `release`. Returns whether it was waiting."""
        if self._state(number) != _WAITING:
            return False
        self._states[number - self._first] = _HELD
        self.waiting -= 1
        self.held += 1
        return True

    def release(self) -> None:
        """Make all held records wait again."""
        self._states[:] = self._states.translate(_RELEASED)
        self.waiting += self.held
        self.held = 0

    def sent(self, number: int) -> None:
        """Mark a waiting record as handed to the Kafka client."""
        if self._state(number) == _WAITING:
            self._states[number - self._first] = _SENT
            self.waiting -= 1

    def failed(self, number: int) -> None:
        """Mark a record as waiting again, after its delivery failed."""
        if self._state(number) == _SENT:
            self._states[number - self._first] = _WAITING
            self.waiting += 1

    def done(self, number: int) -> bool:
        """Mark a record as done, because Kafka has it or it was given up. Returns whether it was open."""
        index, states = number - self._first, self._states
        state = states[index] if 0 <= index < len(states) else _DONE
        if state == _DONE:
            return False
        states[index] = _DONE
        self.open -= 1
        if state == _WAITING:
            self.waiting -= 1
        elif state == _HELD:
            self.held -= 1
        if states[self.low + 1 - self._first] == _DONE:
            self._advance()
        return True

    def all_done(self, numbers: Sequence[int]) -> bool:
        """Mark different records as done if each was sent and is not done. Otherwise, do nothing and return False."""
        first, states = self._first, self._states
        if min(numbers) < first or max(numbers) > self.last:
            return False
        count = len(numbers)
        if [states[number - first] for number in numbers].count(_SENT) < count:
            return False
        for number in numbers:
            states[number - first] = _DONE
        self.open -= count  # without a call, since a signal handler may count too
        self._advance()
        return True

    def waiting_between(self, after: int, before: int) -> list[int]:
        """Return the waiting records between two numbers, both exclusive."""
        return [number for number in range(max(after + 1, self._first), before) if self.is_waiting(number)]

    def _state(self, number: int) -> int:
        index = number - self._first
        return self._states[index] if 0 <= index < len(self._states) else _DONE

    def _advance(self) -> None:
        states, index = self._states, self.low + 1 - self._first
        while index < len(states) and states[index] == _DONE:
            index += 1
        self.low = self._first + index - 1
        if index >= _TRIMMED:
            del states[:index]
            self._first += index
