"""An event on its way to Kafka or the gateway."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from auditlane.runtime.errors import AuditlaneError
from auditlane.sdk.delivery_tracker import Epoch
from auditlane.sdk.spool.record_set import RecordSet, Segment
from auditlane.sdk.transport import OnBatch, OnSettled

Headers = Mapping[str, Any]
_untrack = ctypes.PyDLL(None).PyObject_GC_UnTrack
_untrack.argtypes = (ctypes.py_object,)
_untrack.restype = None


class Event:
    """An event that stays in memory until it is acknowledged. This process emitted it or read it from disk.

    It is also the callback for its own delivery report, and passes itself to `reported`. The garbage collector does not
    track it: with thousands of events in flight, `emit` would often have to wait for a collection. Cycles of references
    through an event are therefore not collected; it must be released by whatever holds it.

    `number` is 0 while the event is not on disk. `slot` is the tenant's slot in the owner file, or 0 if the event is
    not counted. `epoch` is None for another process's event. `batch` receives the event's outcome, with its `index` in
    the batch, or is None. `size` is the length of the value in bytes when it was emitted. While the event is
    `unencoded`, its value is JSON, and it cannot be sent.
    """

    __slots__ = (
        "at",
        "batch",
        "emitted_us",
        "epoch",
        "event_id",
        "from_disk",
        "headers",
        "index",
        "key",
        "number",
        "reported",
        "segment",
        "size",
        "slot",
        "source",
        "tenant",
        "topic",
        "unencoded",
        "value",
    )

    def __init__(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        event_id: str,
        tenant: str,
        headers: Headers,
        at: float,
        emitted_us: int,
    ) -> None:
        self.topic = topic
        self.key = key
        self.value = value
        self.event_id = event_id
        self.tenant = tenant
        self.headers = headers
        self.at = at
        self.emitted_us = emitted_us
        self.epoch: Epoch | None = None
        self.batch: OnBatch | None = None
        self.index = 0
        self.source: RecordSet | None = None
        self.segment: Segment | None = None
        self.number = 0
        self.slot = 0
        self.from_disk = False
        self.size = len(value)
        self.unencoded = False
        self.reported: Callable[[Event, Any], None] | None = None
        _untrack(self)

    def __call__(self, error: object, message: object) -> None:
        """Receive the delivery report of confluent-kafka."""
        if self.reported is not None:
            self.reported(self, error)

    @property
    def place(self) -> Segment:
        """The segment that contains the event, if it is on disk."""
        assert self.segment is not None
        return self.segment


class Single:
    """Passes the outcome of an event that was not sent in a batch to callbacks."""

    __slots__ = ("_on_settled", "_on_spooled")

    def __init__(self, on_settled: OnSettled | None, on_spooled: Callable[[], None] | None) -> None:
        self._on_settled = on_settled
        self._on_spooled = on_spooled

    def acknowledged(self, indexes: Sequence[int]) -> None:
        self.settle(0, None)

    def settle(self, index: int, error: AuditlaneError | None) -> None:
        if self._on_settled is not None:
            self._on_settled(error)

    def spooled(self, index: int) -> None:
        if self._on_spooled is not None:
            self._on_spooled()


Encode = Callable[[Event], None]
"""Encodes an event with its tenant's contract, without waiting for the registry.

Raises InvalidEvent if the contract rejects it, and another AuditlaneError if the contract is not available.
"""
Ready = Callable[[str], bool]
"""Returns whether a tenant's contract is available. If it is not, fetches it in the background."""
Offer = Callable[[Event], None]
"""Hands an event to the delivery. Raises BufferError if its buffer is full, and NotOffered if it rejects the event."""
