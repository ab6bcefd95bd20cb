"""Counts the events that this process rejected over HTTP. The count for each hour is recorded when the hour is over."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import replace
from datetime import datetime

from auditlane.access.audit import AuditSink
from auditlane.observe.measurements import Refusal
from auditlane.observe.refused import HOUR_MS, add, events, hour_of, over
from auditlane.runtime.ids import uuid7


class HttpRefusals:
    """The counts of one process. Thread-safe.

    Dead letters are counted for the whole installation, but only the process that rejected an event over HTTP can count
    it. Therefore, an hour has one event per process, code and tenant.
    """

    def __init__(self, topic: str, sink: AuditSink) -> None:
        """Start counting. `topic` is the topic for which the events were intended."""
        self._topic = topic
        self._sink = sink
        self._instance = f"{socket.gethostname()}:{os.getpid()}"
        self._counts: dict[Refusal, int] = {}
        self._lock = threading.Lock()

    def add(self, tenant: str, code: str) -> None:
        """Count one rejected event. `tenant` is empty if the event does not name one."""
        refusal = Refusal(hour_of(time.time_ns() // 1_000_000), self._topic, code, tenant or None)
        with self._lock:
            add(self._counts, refusal, 1)

    def turn(self, now: datetime) -> None:
        """Record the counts of completed hours."""
        self._record(int(now.timestamp() * 1_000))

    def close(self) -> None:
        """Record all counts, including those of the current hour."""
        with self._lock:
            last = max((one.hour for one in self._counts), default=0)
        self._record((last + 2) * HOUR_MS)

    def _record(self, now_ms: int) -> None:
        with self._lock:
            due = over(self._counts, now_ms)
            for refusal in due:
                del self._counts[refusal]
        for event in events(due, via="http", instance=self._instance):
            # The id is not derived from the content, since a container may restart under the same name within the hour.
            self._sink.record(replace(event, event_id=uuid7()))
