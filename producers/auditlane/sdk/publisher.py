"""Publishes a client's events. Each is encoded and handed to the transport's delivery.

An EventPublisher survives forks and fatal delivery errors, and flushes when the process exits.
"""

from __future__ import annotations

import _thread
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from auditlane.contract.event import AuditEvent
from auditlane.contract.provenance import Sign
from auditlane.contract.registry_reader import Observe
from auditlane.contract.tenants import key_of
from auditlane.runtime import trace_context
from auditlane.runtime.errors import (
    AuditlaneError,
    BufferFull,
    ClientClosed,
    ConfigError,
    EventTooLarge,
    InvalidEvent,
    InvalidInput,
    RegistryUnavailable,
)
from auditlane.sdk import process_exit
from auditlane.sdk.acknowledgement import Acknowledgement
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery_tracker import DeliveryTracker
from auditlane.sdk.encoding import Encoder
from auditlane.sdk.logs import log_later, write_all
from auditlane.sdk.results import ClientStats, FlushResult
from auditlane.sdk.transport import (
    Delivery,
    Encoded,
    Message,
    OnBatch,
    OnError,
    OnSettled,
    report_error,
    thread_starter,
    transport_of,
)

if TYPE_CHECKING:
    from auditlane.sdk.spool.event import Event as SpooledEvent
    from auditlane.sdk.spool.keeper import OwnEvent
    from auditlane.sdk.spool.spool import Spool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checked event with its Kafka topic, key and value, or without a value if the contract is not cached yet."""

    event: AuditEvent
    topic: str
    key: bytes
    value: bytes | None


_ABANDON_S: Final = 5.0  # how long `close` waits for abandoned events to be reported as failed


class EventPublisher:
    """Publishes one client's events. Thread-safe, and safe in signal handlers."""

    def __init__(
        self,
        config: ClientConfig,
        on_error: OnError | None,
        sign: Sign | None = None,
        observe_registry: Observe | None = None,
    ) -> None:
        """Connect in the background. Raises ConfigError if the process cannot run the threads, or the transport rejects
        an option.
        """
        process_exit.check_uwsgi()
        self._config = config
        self._on_error = on_error
        self._sign = sign
        self._lock = threading.RLock()
        self._thread_starter = thread_starter()
        self._closed = False
        self._tracker = DeliveryTracker()
        self._refused: defaultdict[str, int] = defaultdict(int)  # number of `send` calls that raised, by error code
        self._restarts = 0
        self._transport = transport_of(config, observe_registry)
        self._spool = self._opened_spool()
        # The topic of events without headers that `emit` does not wait for, with the tenant as their key, or "".
        self._plain_topic = "" if sign or config.delivery_mode == "sync" else self._transport.plain_topic
        self._delivery: Delivery | None = self._new_delivery()
        if self._spool is not None:
            self._spool.start()
        process_exit.watch(self)

    def send(
        self,
        make: Callable[[], AuditEvent],
        on_settled: OnSettled | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        may_ask: bool = True,
        sign: Sign | None = None,
        on_spooled: Callable[[], None] | None = None,
    ) -> str:
        """Encode and buffer the event that `make` returns, and return its id. Raises the same errors as
        `AuditClient.send`.

        `make` is called only after checking that the client is open. Errors are counted by code.
        """
        try:
            if self._closed:
                raise ClientClosed("The audit client is closed.", fix="Create a new AuditClient.")
            if self._thread_starter is not thread_starter():
                self._adapt_to_patched_threads()
            event = make()
            # A signature covers the encoded event, and a caller that must not wait handles the error itself.
            may_defer = self._spool is not None and may_ask and not sign and not self._sign
            value, unencoded = self._encode(event, may_ask=may_ask, may_defer=may_defer)
        except AuditlaneError as error:
            self._refused[error.code] += 1
            raise
        encoded = event.tenant_id, event.event_id, value
        self.send_encoded(encoded, on_settled, headers, sign=sign, unencoded=unencoded, on_spooled=on_spooled)
        return event.event_id

    def prepare(self, make: Callable[[], AuditEvent], *, may_wait: bool) -> Prepared:
        """Encode the event that `make` returns, without sending it. Raises the same errors as `send`.

        Without `may_wait`, a contract that is not cached is fetched in the background, and the result has no value.
        Raises ConfigError if the client sends to the gateway.
        """
        transport = self._transport
        transport.check_prepares()
        try:
            if self._closed:
                raise ClientClosed("The audit client is closed.", fix="Create a new AuditClient.")
            event = make()
            topic, key = transport.route(event.tenant_id, event.event_id)
            if may_wait or transport.knows(event.tenant_id):
                return Prepared(event, topic, key, transport.encode(event, may_ask=True))
            transport.prefetch(event.tenant_id)
            return Prepared(event, topic, key, None)
        except AuditlaneError as error:
            self._refused[error.code] += 1
            raise

    def encoded(self, values: Mapping[str, Any]) -> Encoded | None:
        """Encode an event from `emit`'s keyword values, without an AuditEvent and without waiting for the registry.

        Returns None if that is impossible, for example because the contract for a tenant's first event is not loaded
        yet. Only `send` waits for the contract, validates everything and reports invalid values.
        """
        if self._closed or self._thread_starter is not _thread.start_new_thread:
            return None
        return self._transport.encoded(values)

    def encode_all(self, objects: Sequence[object], defaults: Mapping[str, str]) -> Iterable[Encoded | None]:
        """Encode JSON objects like `AuditClient.encode_all`."""
        if self._closed or self._thread_starter is not _thread.start_new_thread:
            return [None] * len(objects)
        return self._transport.encode_all(objects, defaults)

    def emit(self, values: Mapping[str, Any], traced: bool) -> str | None:
        """Encode and buffer an event from `emit`'s keyword values in one step, and return its id. `traced` is false if
        it is certain that there is no trace.

        Returns None if the event needs full validation, like `encoded`. Raises the same errors as `send_encoded`.
        """
        if self._closed or self._thread_starter is not _thread.start_new_thread:
            return None
        encoded = self._transport.encoded(values)  # like `self.encoded`, without the time for the call
        if encoded is None:
            return None
        tenant, event_id, value = encoded
        topic = self._plain_topic
        if not topic or (traced and trace_context.current() is not None):
            self.send_encoded(encoded)
            return event_id
        try:
            if self._spool is None:
                self._current_delivery().produce(topic, key_of(tenant), value, event_id, tenant, plain=True)
            else:
                self._spool.send_plain(topic, key_of(tenant), value, event_id, tenant)
        except AuditlaneError as error:
            self._refused[error.code] += 1
            raise
        return event_id

    def send_encoded(
        self,
        encoded: Encoded,
        on_settled: OnSettled | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        sign: Sign | None = None,
        keep: bool = False,
        unencoded: bool = False,
        on_spooled: Callable[[], None] | None = None,
    ) -> None:
        """Buffer or spool an encoded event, or wait for its acknowledgement. `keep` spools it in every mode. If it is
        `unencoded`, the value is JSON, and it is spooled until it can be encoded.

        Raises BufferFull, SpoolFailed, ClientClosed, DeliveryFailed and, if it waits, the transport's Unavailable.
        """
        tenant, event_id, value = encoded
        config, transport = self._config, self._transport
        topic, key = transport.route(tenant, event_id)
        sent: dict[str, Any] = {}
        if transport.has_headers:
            sent |= headers or {}
            if traceparent := trace_context.sampled_traceparent():
                sent.setdefault(trace_context.HEADER, traceparent)
            if (sign := sign or self._sign) is not None:
                name, signature = sign(key, value)
                sent[name] = signature
        elif headers or sign or self._sign:
            raise InvalidInput(
                "Kafka headers cannot be sent to the gateway.",
                field="headers",
                fix="Omit them, or use a client with kafka_bootstrap and registry_url.",
            )
        awaited = None
        if config.delivery_mode == "sync" and on_settled is None and not keep:
            on_settled = awaited = Acknowledgement(self._tracker, transport.unavailable)
        spool = self._spool
        try:
            if spool is None:
                self._current_delivery().produce(topic, key, value, event_id, tenant, on_settled, sent or None)
            else:
                spool.send(
                    topic,
                    key,
                    value,
                    event_id,
                    tenant,
                    on_settled,
                    sent,
                    keep=keep,
                    unencoded=unencoded,
                    on_spooled=on_spooled,
                )
            if awaited is not None and not self._in_callback() and not (spool is not None and spool.interrupted):
                awaited.wait(event_id, config.delivery_timeout_ms / 1000, spooled=spool is not None)
        except AuditlaneError as error:
            self._refused[error.code] += 1
            raise

    def send_all(
        self,
        batch: Sequence[tuple[Encoded, Sign | None]],
        on_batch: OnBatch,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Buffer or spool encoded events, in their order. Each is sent like `send_encoded`, with its `sign`, except
        that an error is its outcome instead of being raised.
        """
        transport, sent = self._transport, dict[str, Any](headers or {})
        if not transport.has_headers:
            for index, (encoded, sign) in enumerate(batch):
                settle, spooled = partial(on_batch.settle, index), partial(on_batch.spooled, index)
                try:
                    self.send_encoded(encoded, settle, headers, sign=sign, on_spooled=spooled)
                except AuditlaneError as error:
                    settle(error)
            return
        if traceparent := trace_context.sampled_traceparent():
            sent.setdefault(trace_context.HEADER, traceparent)
        messages: list[Message] = []
        topic, keys = transport.plain_topic, dict[str, bytes]()
        for (tenant, event_id, value), sign in batch:
            if not topic:
                routed, key = transport.route(tenant, event_id)
            elif (known := keys.get(tenant)) is not None:
                routed, key = topic, known
            else:
                routed, key = topic, keys.setdefault(tenant, key_of(tenant))
            sign = sign or self._sign
            if sign is None:
                own = sent
            else:
                name, signature = sign(key, value)
                own = {**sent, name: signature}
            messages.append((routed, key, value, own or None, event_id, tenant))
        accept = self._current_delivery().produce_all if self._spool is None else self._spool.send_all
        for index, refusal in accept(messages, on_batch):
            self._refused[refusal.code] += 1
            on_batch.settle(index, refusal)

    def send_to(
        self, topic: str, key: bytes, value: bytes, event_id: str, tenant: str, on_settled: OnSettled | None
    ) -> None:
        """Buffer an encoded event for this topic and key. It is never spooled. Raises BufferFull or ClientClosed."""
        self._current_delivery().produce(topic, key, value, event_id, tenant, on_settled)

    def flush(self, timeout_s: float) -> FlushResult:
        """Flush like `AuditClient.flush`. Raises ClientClosed."""
        if self._closed:
            raise ClientClosed(
                "The audit client is closed.", fix="Flush before you close it; close() returns the same result."
            )
        return self._tracker.flush(0 if self._in_callback() else timeout_s)

    def close(self, timeout_s: float | None = None) -> FlushResult:
        """Flush for at most `timeout_s` seconds, by default `close_timeout_s`, and stop the threads.

        Events that are left after the flush fail.
        """
        with self._lock:
            if self._closed:
                return FlushResult(0, 0, (), 0)
            self._closed = True
            delivery = self._delivery
        timeout_s = self._config.close_timeout_s if timeout_s is None else timeout_s
        result = self._tracker.flush(0 if self._in_callback() else timeout_s, seal=True)
        if self._spool is not None:
            result = self._close_spool(self._spool, delivery, result)
        elif delivery is not None:
            if result.pending:
                delivery.abandon()
                result = result.followed_by(self._tracker.flush(_ABANDON_S))
            delivery.stop()
        self._transport.close()
        process_exit.forget(self)
        return result

    @property
    def stats(self) -> ClientStats:
        """Return counters of the events since the client was created."""
        tracker, refused = self._tracker, dict(self._refused)
        return ClientStats(
            emitted=tracker.emitted,
            delivered=tracker.delivered,
            failed=tracker.failed,
            pending=tracker.pending,
            spooled=self._spool.spooled if self._spool is not None else 0,
            rejected=refused.get(InvalidEvent.code, 0) + refused.get(EventTooLarge.code, 0),
            buffer_full=refused.get(BufferFull.code, 0),
            producer_restarts=self._restarts,
            refused=refused,
            failures=dict(tracker.failures),
            emitted_bytes=tracker.emitted_bytes,
            pending_bytes=tracker.pending_bytes,
            flushes=tracker.flushes,
            flush_seconds=tracker.flush_seconds,
            spool=self._spool.stats if self._spool is not None else None,
        )

    def report(self, error: AuditlaneError, event_id: str | None) -> None:
        """Pass an error to `on_error`, or log it. Never raises."""
        report_error(self._on_error, error, event_id)

    def knows(self, tenant: str) -> bool:
        """Return whether the tenant's contract is cached."""
        return self._transport.knows(tenant)

    def encoder(self, tenant: str) -> Encoder:
        """Return the tenant's encoder. May wait for the registry.

        Raises RegistryUnavailable, RegistryRefused or, if the client sends to the gateway, ConfigError.
        """
        return self._transport.encoder(tenant)

    def own_fields(self, tenant: str) -> frozenset[str]:
        """Return the names of the custom fields in the tenant's contract. May wait for the registry.

        The result is empty if the client sends to the gateway. Raises RegistryUnavailable or RegistryRefused.
        """
        return self._transport.own_fields(tenant)

    def contract_changed(self, tenant: str | None) -> None:
        """Invalidate the cached contract of `tenant`, or all contracts if it is None."""
        self._transport.contract_changed(tenant)

    def _replaced_delivery(self, delivery: Delivery | None) -> Delivery:
        """Replace the delivery after a fatal error, or create it in a forked child."""
        with self._lock:
            if self._delivery is delivery:
                created = self._new_delivery()
                if self._delivery is delivery:
                    self._delivery = created
                    self._restarts += 1
                    if delivery is not None:
                        delivery.abandon()
                        delivery.stop(0)
                else:  # a signal handler created another one in the meantime
                    created.stop(0)
            assert self._delivery is not None
            return self._delivery

    def _current_delivery(self) -> Delivery:
        delivery = self._delivery
        if delivery is None or delivery.fatal is not None:
            delivery = self._replaced_delivery(delivery)
        return delivery

    def _new_delivery(self) -> Delivery:
        receiver = self._spool.receiver if self._spool is not None else None
        return self._transport.deliver(self._tracker, self._on_error, receiver)

    def _opened_spool(self) -> Spool | None:
        """Open and return the spool, or None if no folder is configured. Raises ConfigError."""
        config = self._config
        if not config.spool_dir:
            if config.delivery_mode == "durable":
                raise ConfigError(
                    "AUDITLANE_DELIVERY_MODE=durable requires a spool, but AUDITLANE_SPOOL_DIR is not set.",
                    field="spool_dir",
                    fix="Set AUDITLANE_SPOOL_DIR to a folder on a local disk.",
                )
            return None
        from auditlane.sdk.spool.spool import Spool  # services without a spool do not pay for the import

        transport = self._transport
        return Spool(
            replace(config, spool_dir=transport.spool_dir),
            self._tracker,
            offer=self._offer,
            report=self.report,
            may_wait=lambda: not self._in_callback(),
            emit=self._emit_own,
            encode=self._encode_spooled,
            ready=self._contract_ready,
            other_folder=transport.other_spool_dir,
        )

    def _offer(self, event: SpooledEvent) -> None:
        self._current_delivery().offer(event)

    def _emit_own(self, own: OwnEvent) -> None:
        """Write an event about the delivery to the spool. Raises AuditlaneError."""
        event = AuditEvent.checked(own.values(self._config.source))
        self._check_contract(event.tenant_id)
        value = self._transport.encode(event, may_ask=True)
        self.send_encoded((event.tenant_id, event.event_id, value), keep=True)

    def _encode(self, event: AuditEvent, *, may_ask: bool, may_defer: bool) -> tuple[bytes, bool]:
        """Return an event's value, and whether it is JSON, because the registry is unavailable and the event may be
        encoded later.
        """
        try:
            return self._transport.encode(event, may_ask=may_ask), False
        except RegistryUnavailable:
            if not may_defer:
                raise
        from auditlane.sdk.event_text import check_base, event_text  # few services need it

        check_base(event, self._config.max_event_bytes)
        return event_text(event).encode(), True

    def _encode_spooled(self, event: SpooledEvent) -> None:
        """Encode an event with its tenant's contract, as described in `event.Encode`."""
        from auditlane.sdk.event_text import event_of

        self._check_contract(event.tenant)
        event.value = self._transport.encode(event_of(event.value.decode()), may_ask=True)
        event.unencoded = False

    def _check_contract(self, tenant: str) -> None:
        """Raise RegistryUnavailable if the tenant's contract is not cached: the spool's thread must not wait for it."""
        if not self._contract_ready(tenant):
            raise RegistryUnavailable(
                f"Events of {tenant} wait in the spool until the tenant's contract has been fetched.",
                fix="Check the schema registry at AUDITLANE_REGISTRY_URL.",
            )

    def _contract_ready(self, tenant: str) -> bool:
        """Return whether the tenant's contract is cached. If it is not, fetch it in the background."""
        if self._transport.knows(tenant):
            return True
        self._transport.prefetch(tenant)
        return False

    def _close_spool(self, spool: Spool, delivery: Delivery | None, result: FlushResult) -> FlushResult:
        """Close the spool. Events that are not acknowledged stay on disk; only those that could not be written
        fail.
        """
        spool.stop()
        if delivery is not None:
            delivery.abandon()
            delivery.stop(_ABANDON_S)
        later = self._tracker.flush(0)
        spool.close()
        return replace(result.followed_by(later), pending=0, spooled=later.pending)

    def _in_callback(self) -> bool:
        return self._delivery is not None and self._delivery.is_this_thread()

    def _adapt_to_patched_threads(self) -> None:
        """Start over if gevent or eventlet replaced the threading functions before this process's first event.

        Raises ConfigError if a producer is already running.
        """
        if self._delivery is not None:
            raise ConfigError(
                "Threads were monkey-patched (gevent, eventlet) after the audit client was created.",
                fix="Apply the monkey patching before you create the AuditClient.",
            )
        self.after_fork()

    def before_fork(self, deadline: float) -> None:
        """Wait for a registry request in progress: a child would inherit its locks but not the thread."""
        self._transport.before_fork(max(deadline - time.monotonic(), 0.0))

    def after_fork(self) -> None:
        """Reset locks and counters in the child. Its next event creates a delivery."""
        if self._delivery is not None:
            self._delivery.leave_to_parent()
        self._lock = threading.RLock()
        self._thread_starter = thread_starter()
        self._tracker = DeliveryTracker()
        self._delivery = None
        if self._spool is not None:
            self._spool.after_fork(self._tracker)
        self._refused = defaultdict(int)
        self._restarts = 0
        self._transport.after_fork(closed=self._closed)

    def end(self) -> None:
        """Close when the process exits, and log how many events were not delivered."""
        result = self.close()
        if result.spooled:
            folder = self._config.spool_dir
            log_later(logging.WARNING, "%d audit events wait in %s for another process", result.spooled, folder)
        if not result:
            lost = result.failed_count + result.pending
            log_later(logging.ERROR, "%d audit events were not delivered before the process exited", lost)
        write_all()

    def end_soon(self) -> None:
        """Flush when the process may be about to exit. Other threads may still emit."""
        self._tracker.flush(self._config.close_timeout_s)
        write_all()
