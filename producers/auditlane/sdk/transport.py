"""The interface of a transport, which encodes the events of a client, and delivers them to Kafka or, over HTTP, to the
gateway.
"""

from __future__ import annotations

import _thread
import logging
import time
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from auditlane.contract.event import AuditEvent
from auditlane.contract.registry_reader import Observe
from auditlane.runtime.errors import AuditlaneError, BufferFull, Unavailable
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.logs import log_later

if TYPE_CHECKING:
    from auditlane.sdk.delivery_tracker import DeliveryTracker
    from auditlane.sdk.encoding import Encoder
    from auditlane.sdk.spool.event import Event

Encoded = tuple[str, str, bytes]  # (tenant, event id, value)
# (error, event id); the id is None for a connection error.
OnError = Callable[[AuditlaneError, str | None], None]
# The outcome of one event: None when it is acknowledged.
OnSettled = Callable[[AuditlaneError | None], None]


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Why an event was not delivered. `explain` returns the error for the event with an id.

    `rejected_by` names the service that would reject the event again. It is empty if a retry may succeed.
    """

    explain: Callable[[str], AuditlaneError]
    rejected_by: str = ""


# An encoded event for Kafka: (topic, key, value, headers, event id, tenant). A class would take longer to create.
Message = tuple[str, bytes, bytes, dict[str, Any] | None, str, str]


Refused = tuple[int, AuditlaneError]  # (index in the batch, why the event was not accepted)


class OnBatch(Protocol):
    """Receives the outcomes of a batch's events, by their index in it. Each event gets one, usually on a background
    thread.
    """

    def acknowledged(self, indexes: Sequence[int]) -> None: ...

    def settle(self, index: int, error: AuditlaneError | None) -> None: ...

    def spooled(self, index: int) -> None:
        """Record that the event is on disk, which may happen before its outcome."""
        ...


class Receiver(Protocol):
    """Receives the outcomes of the events that were offered to a delivery. Its methods are called on a background
    thread, and do not raise.
    """

    @property
    def unsettled(self) -> bool:
        """Whether acknowledged events are left to be settled by the next call of `acknowledged`, which should follow
        soon.
        """
        ...

    def acknowledged(self, events: Sequence[Event]) -> None:
        """Settle events that were acknowledged, many at once since each settling stops threads that emit."""
        ...

    def undelivered(self, event: Event, why: Undelivered) -> None:
        """Retry an event that was not delivered, or give it up."""
        ...


class NotOffered(Exception):
    """Raised when a delivery does not accept an event. `why` is its outcome."""

    def __init__(self, why: Undelivered) -> None:
        super().__init__(why)
        self.why = why


class Delivery(Protocol):
    """Delivers events in the background. The publisher replaces it in a forked child, and once `fatal` is set."""

    @property
    def fatal(self) -> AuditlaneError | None: ...

    def produce(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        event_id: str,
        tenant: str,
        on_settled: OnSettled | None = None,
        headers: dict[str, Any] | None = None,
        *,
        plain: bool = False,
    ) -> None:
        """Buffer one event, which the tracker counts. Raises BufferFull, in which case it was not accepted.

        `plain` means that the transport's `encoded` made the value, and that nobody waits for this event.
        """
        ...

    def produce_all(self, messages: Sequence[Message], on_batch: OnBatch) -> list[Refused]:
        """Buffer a batch of events from the transport's `encoded`, which the tracker counts, in their order.

        Returns the events that were not accepted. The others are sent.
        """
        ...

    def offer(self, event: Event) -> None:
        """Buffer one event, which the tracker does not count. The receiver gets its outcome.

        Raises BufferError if the buffer is full, and NotOffered if the delivery rejects the event.
        """
        ...

    def is_this_thread(self) -> bool:
        """Return whether the caller runs on the delivery's thread, which must never wait for the buffer."""
        ...

    def abandon(self) -> None:
        """Drop the events that are not acknowledged. Each is reported as not delivered."""
        ...

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop the thread once every event has its report."""
        ...

    def leave_to_parent(self) -> None:
        """Forget about the parent's resources, in a forked child."""
        ...


class Transport(Protocol):
    """Encodes events, and creates deliveries. Thread-safe."""

    @property
    def unavailable(self) -> type[Unavailable]:
        """The error of a service that does not acknowledge an event in time."""
        ...

    @property
    def has_headers(self) -> bool:
        """Whether Kafka headers travel with an event."""
        ...

    @property
    def plain_topic(self) -> str:
        """The topic of all events if their key is always the tenant, or ""."""
        ...

    @property
    def spool_dir(self) -> str:
        """The folder for the events of this transport, or "" if no spool is configured."""
        ...

    @property
    def other_spool_dir(self) -> str:
        """The folder in which the other transport would leave events."""
        ...

    def deliver(self, tracker: DeliveryTracker, on_error: OnError | None, receiver: Receiver | None) -> Delivery:
        """Start a delivery. Only one with a receiver can be offered events."""
        ...

    def encoded(self, values: Mapping[str, Any]) -> Encoded | None:
        """Encode an event from `emit`'s keyword values, without an AuditEvent and without waiting. Returns None if that
        is impossible.
        """
        ...

    def encode_all(self, objects: Sequence[object], defaults: Mapping[str, str]) -> Iterable[Encoded | None]:
        """Encode JSON objects, with `defaults` for fields that they omit, like `encoded`."""
        ...

    def encode(self, event: AuditEvent, *, may_ask: bool) -> bytes:
        """Return the value of an event. May wait for a contract. Raises InvalidEvent and the registry's errors."""
        ...

    def route(self, tenant: str, event_id: str) -> tuple[str, bytes]:
        """Return the topic and the message key, which are empty if the gateway determines them."""
        ...

    def check_prepares(self) -> None:
        """Raise ConfigError unless another process may send an encoded event with its topic and key."""
        ...

    def knows(self, tenant: str) -> bool:
        """Return whether `encode` would not wait for the tenant's contract."""
        ...

    def prefetch(self, tenant: str) -> None:
        """Fetch the tenant's contract in the background."""
        ...

    def encoder(self, tenant: str) -> Encoder:
        """Return the tenant's Avro encoder. May wait for the registry.

        Raises RegistryUnavailable, RegistryRefused or, over HTTP, ConfigError.
        """
        ...

    def own_fields(self, tenant: str) -> frozenset[str]:
        """Return the names of the custom fields in the tenant's contract, as far as they are known."""
        ...

    def contract_changed(self, tenant: str | None) -> None:
        """Invalidate the cached contract of `tenant`, or of every tenant if it is None."""
        ...

    def close(self) -> None: ...

    def before_fork(self, timeout_s: float) -> None:
        """Wait for a request in progress, since a child would inherit its locks but not the thread."""
        ...

    def after_fork(self, *, closed: bool) -> None:
        """Replace the parent's locks and sockets, in a forked child."""
        ...


def transport_of(config: ClientConfig, observe_registry: Observe | None) -> Transport:
    """Return the transport that the options choose. It is imported here, since each has a client library of its own."""
    if config.url:
        from auditlane.sdk.http_transport.transport import HttpTransport

        return HttpTransport(config)
    from auditlane.sdk.kafka_transport import KafkaTransport

    return KafkaTransport(config, observe_registry)


def thread_starter() -> object:
    """Return the function that starts threads, which gevent and eventlet replace."""
    return _thread.start_new_thread


def threads_are_green() -> bool:
    """Return whether gevent or eventlet have replaced threads. A thread that blocks outside Python then stops all
    others.

    Also true under some debuggers, which does no harm.
    """
    return not isinstance(thread_starter(), types.BuiltinFunctionType)


def wait_for_room(config: ClientConfig, tracker: DeliveryTracker, deadline: float, *, may_wait: bool) -> float:
    """Wait a moment for room in a delivery's buffer, and return the deadline. A deadline of 0 is replaced with
    `max_block_ms` from now.

    Raises BufferFull once the deadline has passed, or if the caller may not wait.
    """
    now = time.monotonic()
    deadline = deadline or now + config.max_block_ms / 1000
    if now >= deadline or not may_wait:
        problem = tracker.problem
        why = f" {problem.message}" if problem else ""
        raise BufferFull(
            f"The buffer of {config.buffer_bytes} bytes is full; the event was not accepted.{why}",
            fix=(problem.fix + " " if problem else "")
            + "Emit again later, or raise AUDITLANE_MAX_BLOCK_MS or AUDITLANE_BUFFER_BYTES.",
        ) from None
    tracker.wait_for_room(min(deadline - now, 0.1))
    return deadline


def report_error(on_error: OnError | None, error: AuditlaneError, event_id: str | None) -> None:
    """Pass an error to `on_error`, or log it if `on_error` is None. Never raises."""
    if on_error is None:
        log_later(logging.ERROR, "%s", error)
    else:
        call(on_error, error, event_id)


def call(callback: Callable[..., None], *arguments: object) -> None:
    """Call an application's function. An exception that it raises is caught, so that the thread does not end."""
    try:
        callback(*arguments)
    except Exception as error:
        log_later(logging.ERROR, "a callback raised an exception", error=error)
