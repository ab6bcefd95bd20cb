"""The bounded queue of one client's live stream. A client that is too slow has to reconnect, so that its events do not
fill the memory.
"""

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
LAG_MS: Final = 60_000  # how far one process or replica may be behind another


class Subscription:
    """The stream of one client. `wake` is called, from any thread, when there are events to `drain` or the stream has
    ended.
    """

    def __init__(self, wake: Callable[[], None], buffer: int = BUFFER) -> None:
        self._wake = wake
        self._buffer = buffer
        self._waiting: list[StreamedEvent] = []
        self._lock = threading.Lock()
        self._before: StreamPosition | None = None
        self._position: StreamPosition | None = None
        self.goal: StreamPosition | None = None  # position to catch up with before draining
        self.ended: Ending = ""  # why the stream has ended
        self.failure: AuditlaneError | None = None  # why the stream has `failed`

    @property
    def position(self) -> StreamPosition | None:
        """The position of the stream once its queue is empty."""
        with self._lock:
            return self._position and _with(self._position, self._before)

    def follow(self, position: StreamPosition) -> None:
        """Set the position after which events are pushed."""
        with self._lock:
            self._position = position

    def has(self, before: StreamPosition) -> None:
        """Set the position of the client. It may have reached that position through another process, which had seen
        more than this one.
        """
        with self._lock:
            self._before = before

    def drain(self) -> list[StreamedEvent]:
        """Return the events since the previous call, in order. Events that the client already has are left out."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            before = self._before
            if before and taken and taken[0].position.at_ms > before.at_ms + LAG_MS:
                self._before = None
        if before is None:
            return taken
        return [
            replace(event, position=_with(event.position, before), text="")
            for event in taken
            if event.place not in before.seen or not before.seen[event.place].contains(event.offset)
        ]

    def push(self, event_slice: EventSlice) -> None:
        """Queue new events. If the queue is full, the stream ends after the queued events, and the client can resume
        with their ids.
        """
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
        """End the stream."""
        with self._lock:
            if not self.ended:
                self.ended = why
                self.failure = failure
        self._wake()


def _with(position: StreamPosition, before: StreamPosition | None) -> StreamPosition:
    if before is None:
        return position
    places = position.seen.keys() | before.seen.keys()
    return StreamPosition(position.at_ms, {key: union(position.seen.get(key), before.seen.get(key)) for key in places})
