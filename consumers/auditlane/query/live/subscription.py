"""What waits for one client of a live stream: bounded, so that a slow one costs a reconnection and not our memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal, TypeAlias

from auditlane.query.live.follow import EventSlice, StreamedEvent
from auditlane.query.live.resume_token import StreamPosition
from auditlane.query.live.seen_offsets import union
from auditlane.runtime.errors import AuditlaneError

Ending: TypeAlias = Literal["", "slow", "stopping", "failed"]
BUFFER: Final = 2_000  # events
LAG_MS: Final = 60_000  # by how much one process, or replica, may be behind another


class Subscription:
    """One stream. `wake` is called, from any thread, when there is something to `drain` or the stream has ended."""

    def __init__(self, wake: Callable[[], None], buffer: int = BUFFER) -> None:
        self._wake = wake
        self._buffer = buffer
        self._waiting: list[StreamedEvent] = []
        self._lock = threading.Lock()
        self._before: StreamPosition | None = None
        self._position: StreamPosition | None = None
        self.goal: StreamPosition | None = None  # what is to be caught up with before anything is drained
        self.ended: Ending = ""  # why nothing more will come
        self.failure: AuditlaneError | None = None  # of a stream that has `failed`

    @property
    def position(self) -> StreamPosition | None:
        """Where the stream is when nothing waits."""
        with self._lock:
            return self._position and _with(self._position, self._before)

    def follow(self, position: StreamPosition) -> None:
        """From here on, what arrives is pushed."""
        with self._lock:
            self._position = position

    def has(self, before: StreamPosition) -> None:
        """What the client has, perhaps from a process that had seen more than this one."""
        with self._lock:
            self._before = before

    def drain(self) -> list[StreamedEvent]:
        """What arrived since the last time, in order, without what the client has."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            before = self._before
            if before and taken and taken[0].position.at_ms > before.at_ms + LAG_MS:
                self._before = None
        if before is None:
            return taken
        return [
            replace(one, position=_with(one.position, before), text="")
            for one in taken
            if one.partition not in before.seen or not before.seen[one.partition].contains(one.offset)
        ]

    def push(self, event_slice: EventSlice) -> None:
        """Add what arrived. Where that is too much the stream ends: what waits is still given, and its ids resume."""
        with self._lock:
            if self.ended:
                return
            if len(self._waiting) + len(event_slice.events) > self._buffer:
                self.ended = "slow"
            else:
                self._waiting += event_slice.events
                self._position = event_slice.position
        if event_slice.events:
            self._wake()

    def end(self, why: Ending, failure: AuditlaneError | None = None) -> None:
        """No more."""
        with self._lock:
            if not self.ended:
                self.ended = why
                self.failure = failure
        self._wake()


def _with(position: StreamPosition, before: StreamPosition | None) -> StreamPosition:
    if before is None:
        return position
    partitions = position.seen.keys() | before.seen.keys()
    return StreamPosition(
        position.at_ms, {one: union(position.seen.get(one), before.seen.get(one)) for one in partitions}
    )
