"""The client that services hold: checks an event, picks the tenant's schema, hands it to delivery."""

from __future__ import annotations

import ctypes
import inspect
import logging
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Set
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from types import TracebackType
from typing import Any, Final, Literal, Never, get_overloads, overload
from uuid import UUID

from auditlane.contract.event import BASE_FIELDS, AuditEvent, Outcome, OutcomeName, Severity, SeverityName
from auditlane.contract.provenance import RESERVED, Sign, is_ours
from auditlane.contract.registry_reader import Registry
from auditlane.contract.tenants import check_tenant, dedicated_topic, key_of
from auditlane.contract.window import check_time
from auditlane.runtime.errors import (
    BufferFull,
    ClientClosed,
    ConfigError,
    EventTooLarge,
    InvalidEvent,
    InvalidInput,
)
from auditlane.runtime.messages import did_you_mean
from auditlane.sdk import green, process_exit
from auditlane.sdk.config import OPTIONS, ClientConfig
from auditlane.sdk.delivery import Delivery, OnError, OnSettled
from auditlane.sdk.delivery_tracker import DeliveryTracker
from auditlane.sdk.logs import say, write_all
from auditlane.sdk.results import ClientStats, FlushResult
from auditlane.sdk.schema_resolver import SchemaMayBeStale, SchemaResolver

_ABANDON_S: Final = 5.0  # how long reports of given-up events may take
_NAMED: Final = frozenset(BASE_FIELDS)


def _shown(function: Callable[..., object]) -> inspect.Signature:
    """Make the signature that help(), notebooks and mocks show: that of the overload with names, none of which is
    required, as an event alone is fine too."""
    signature = inspect.signature(get_overloads(function)[-1])
    parameters = dict(signature.parameters)
    parameters["event"] = parameters["event"].replace(annotation="AuditEvent | None")
    for name in ("tenant_id", "action"):
        parameters[name] = parameters[name].replace(default=...)
    return signature.replace(parameters=list(parameters.values()))


class AuditClient:
    """Emits audit events to Kafka. Make one per process; it is thread-safe and can be used from asyncio.

        with AuditClient() as audit:  # AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_REGISTRY_URL
            audit.emit(tenant_id="acme", action="document.deleted", actor_id="user-17", outcome="success")

    A forked child continues with a producer of its own; what the parent had buffered stays the parent's. A signal
    handler may emit, flush and close.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        on_error: OnError | None = None,
        kafka_bootstrap: str | None = None,
        registry_url: str | None = None,
        kafka_extra: Mapping[str, Any] | None = None,
        registry_user: str | None = None,
        registry_password: str | None = None,
        registry_token: str | None = None,
        registry_ca: str | None = None,
        registry_refresh_s: float | None = None,
        registry_wait_ms: int | None = None,
        topic: str | None = None,
        max_event_bytes: int | None = None,
        source: str | None = None,
        shards: Mapping[str, int] | None = None,
        dedicated_tenants: Set[str] | None = None,
        compression: Literal["lz4", "zstd"] | None = None,
        max_block_ms: int | None = None,
        buffer_bytes: int | None = None,
        delivery_timeout_ms: int | None = None,
        close_timeout_s: float | None = None,
        own_events: bool = False,
        own_headers: bool = False,
        sign: Sign | None = None,
        **unknown: Never,
    ) -> None:
        """Connect in the background; Kafka and the registry may be down.

        Each option that is left out or None comes from `config`, or without a `config` from the environment variable
        `AUDITLANE_<OPTION>`; failing that, it has the default of ClientConfig.

        Args:
            config: Options as `ClientConfig.load` reads them.
            on_error: Called as `on_error(error, event_id)`, from a thread of the client, for each event that Kafka did
                not take; with `event_id=None` when Kafka becomes unreachable, and every 30 s until it is back. Without
                it, failures are logged to `auditlane.sdk`.
            kafka_bootstrap: Brokers as `host:port`, separated by commas. Required, here or in the environment.
            registry_url: URL of the schema registry. Required, here or in the environment.
            kafka_extra: Options of librdkafka, such as those for SASL and TLS.
            registry_user: Name for HTTP basic authentication with the registry.
            registry_password: Password for the same.
            registry_token: Bearer token, in place of a name and password.
            registry_ca: Path of a PEM file with the authorities that the registry's certificate is checked against.
            registry_refresh_s: Seconds between two refreshes of the known schemas; default 30.
            registry_wait_ms: Milliseconds that the first event of a contract may wait for the registry; default 5000.
            topic: The topic that events go to; default `audit.events`.
            max_event_bytes: Largest encoded event; default 524288.
            source: The `source` of events that do not give one; default none.
            shards: Tenant id to the number of keys that its events are spread over; default none.
            dedicated_tenants: Tenants whose events go to a topic of their own, `<topic>.<tenant>`; default none.
            compression: `lz4` (default) or `zstd`.
            max_block_ms: Milliseconds that `emit` may wait for room in the buffer; default 0.
            buffer_bytes: Size of the buffer; default 67108864.
            delivery_timeout_ms: Milliseconds after which an event that Kafka has not acknowledged fails; default
                120000.
            close_timeout_s: Seconds that `close`, and the exit of the process, flush for; default 10.
            own_events: For auditlane itself: admits its tenant and its `source`.
            own_headers: For auditlane itself: admits Kafka headers that begin with `auditlane.`.
            sign: For auditlane itself: makes, from a message's key and value, a header that says who vouches for it.
            unknown: No other option exists.

        Raises:
            ConfigError: It names every option that is missing, wrong or unknown.
        """
        given = {name: value for name, value in locals().items() if name in OPTIONS and value is not None} | unknown
        self.config = config.changed(**given) if config else ClientConfig.load(**given)
        process_exit.check_uwsgi()
        self._on_error = on_error
        if is_ours(self.config.source) and not own_events:
            raise ConfigError(
                f"The source {self.config.source!r} is reserved for auditlane's own events.",
                field="AUDITLANE_SOURCE",
                fix="Name the service that sends the events.",
            )
        self._own_events = own_events
        self._own_headers = own_headers
        self._sign = sign
        self._lock = threading.RLock()
        self._threads = green.kind()
        self._closed = False
        self._tracker = DeliveryTracker()
        self._rejected = self._buffer_full = self._restarts = 0
        self._schemas = SchemaResolver(
            _registry(self.config),
            topic=self.config.topic,
            refresh_s=self.config.registry_refresh_s,
            wait_s=self.config.registry_wait_ms / 1000,
        )
        self._schemas.prefetch()
        self._delivery: Delivery | None = Delivery(self.config, self._tracker, self._on_error)
        process_exit.watch(self)

    @overload
    def emit(self, event: AuditEvent, /) -> str: ...

    @overload
    def emit(
        self,
        event: None = None,
        /,
        *,
        tenant_id: str,
        action: str,
        event_id: str | UUID = ...,
        occurred_at: datetime | str = ...,
        actor_id: str = "",
        actor_type: str = "user",
        actor_name: str | None = None,
        on_behalf_of: str | None = None,
        resource: str = "",
        resource_id: str | None = None,
        outcome: Outcome | OutcomeName = Outcome.unknown,
        severity: Severity | SeverityName = Severity.Info,
        description: str | None = None,
        ip: str | IPv4Address | IPv6Address | None = None,
        user_agent: str | None = None,
        request_id: str | None = None,
        before: object = None,
        after: object = None,
        source: str = ...,
        metadata: Mapping[str, str] = ...,
        fields: Mapping[str, object] = ...,
        **custom: object,
    ) -> str: ...

    def emit(self, event: AuditEvent | None = None, /, **values: Any) -> str:
        """Check one event and buffer it for Kafka. Returns before Kafka has it; `flush` waits for that.

            audit.emit(
                tenant_id="acme",
                action="document.deleted",
                actor_id="user-17",
                resource="document",
                resource_id="d-98765",
                outcome="success",
                before={"title": "Draft"},
                metadata={"region": "eu-1"},
                project="moon",  # a field that the tenant's contract adds
            )

        Give an AuditEvent, or its fields by name. Only `tenant_id` and `action` are required.

        Args:
            event: A whole event; then nothing else may be given.
            tenant_id: 1 to 100 letters, digits, `.`, `_` or `-`, beginning with a letter or digit.
            action: What happened, such as `document.deleted`.
            event_id: UUID; by default a new one. The same id, time and content again add nothing for a reader.
            occurred_at: A datetime with a zone, or RFC 3339 text; from ten years back to a day ahead. Default: now.
            actor_id: Id of whoever did it.
            actor_type: `user`, `service`, `api_key`, `system` or `anonymous`, or a type of your own.
            actor_name: Name of the actor for readers.
            on_behalf_of: Id of whoever the actor acted for.
            resource: Kind of thing that it was done to.
            resource_id: Id of that thing.
            outcome: `unknown`, `success`, `failure` or `denied`, as text or Outcome.
            severity: `Info`, `Low`, `Medium`, `High`, `Critical` or `Error`, as text or Severity.
            description: A sentence for readers.
            ip: IPv4 or IPv6 address that the request came from.
            user_agent: As the request had it.
            request_id: Id that links the event to a request or trace.
            before: State before the change: text, kept as it is, or anything with one form in JSON.
            after: State after the change, likewise.
            source: The service that emits; by default the client's `source`.
            metadata: Text by name, for what has no field.
            fields: The fields that the tenant's contract adds, by name.
            custom: The same fields as keywords. They win over `fields`.

        Returns:
            The event's `event_id`.

        Raises:
            InvalidEvent: The event breaks a base rule or a rule of the tenant's contract; `error.field` names the
                field. EventTooLarge, a kind of it, when the encoded event exceeds `max_event_bytes`.
            BufferFull: There was no room within `max_block_ms`; nothing was taken.
            RegistryUnavailable, RegistryRefused: The tenant's schema is not known yet and cannot be fetched.
            ClientClosed: `close` was called.

        Only the first event of a contract waits for the registry: `registry_wait_ms` at most, and a tenth of a second
        per second while the registry keeps failing. An event that the known contract refuses also waits, at most once
        a second and for up to a second, since the contract may have been changed.
        """
        try:
            return self._send(lambda: self._event(event, values))
        except InvalidEvent as error:
            if event is None:
                self._suggest(error, values)
            raise

    emit.__signature__ = _shown(emit)  # type: ignore[attr-defined]

    def send(
        self,
        event: AuditEvent,
        on_settled: OnSettled | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        may_ask: bool = True,
        sign: Sign | None = None,
    ) -> str:
        """As `emit`, for who waits for each event by itself: `on_settled(None)` is called when Kafka has it, else
        `on_settled(error)`; once, from a thread of the client's, and never when this raises. `headers` are Kafka's,
        and none of them begins with `auditlane.`: that raises InvalidInput. `sign` is as the client's, for this event.

        Without `may_ask`, an event that a possibly stale contract rejects raises SchemaMayBeStale, and the registry is
        not asked.
        """
        if not self._own_headers:
            _check_headers(headers or {})
        return self._send(lambda: self._event(event, {}), on_settled, headers, may_ask=may_ask, sign=sign)

    def knows(self, tenant: str) -> bool:
        """Whether an event of this tenant would not wait for the registry."""
        return self._schemas.knows(tenant)

    def patterned(self, tenant: str) -> tuple[tuple[str, int], ...]:
        """Fields for which the tenant's contract, as far as it is known, has a pattern, and the size of its program."""
        return self._schemas.encoder(tenant).patterned if self._schemas.knows(tenant) else ()

    def contract_changed(self, tenant: str | None) -> None:
        """What is known of this tenant's contract, for None of everybody's, is old: the registry is asked anew."""
        self._schemas.forget(tenant)

    def own_fields(self, tenant: str) -> frozenset[str]:
        """The fields that the tenant's contract adds to an event's. May wait for the registry, and raises as `emit`."""
        return frozenset(self._schemas.encoder(tenant).own)

    def _send(
        self,
        make: Callable[[], AuditEvent],
        on_settled: OnSettled | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        may_ask: bool = True,
        sign: Sign | None = None,
    ) -> str:
        if self._closed:
            raise ClientClosed("The audit client is closed.", fix="Make a new AuditClient.")
        if self._threads is not green.kind():
            self._repatched()
        config = self.config
        try:
            event = make()
            value = self._encoded(event, may_ask=may_ask)
        except InvalidEvent:
            self._rejected += 1
            raise
        tenant = event.tenant_id
        topic = dedicated_topic(config.topic, tenant) if tenant in config.dedicated_tenants else config.topic
        key, sent, sign = self._key(event), dict[str, str | bytes](headers or {}), sign or self._sign
        if sign is not None:
            name, signature = sign(key, value)
            sent[name] = signature
        try:
            self._current_delivery().produce(topic, key, value, event.event_id, tenant, on_settled, sent)
        except BufferFull:
            self._buffer_full += 1
            raise
        return event.event_id

    def flush(self, timeout: float = 30.0) -> FlushResult:
        """Wait up to `timeout` seconds until Kafka has acknowledged every event emitted before this call.

            result = audit.flush(timeout=10)
            if not result:
                result.raise_for_failure()

        Returns what became of the events since the last flush: true when Kafka has all of them. Called in `on_error`,
        it does not wait. Raises ClientClosed.
        """
        if self._closed:
            raise ClientClosed("The audit client is closed.", fix="Flush before; close() returns the same result.")
        return self._tracker.flush(0 if self._in_callback() else timeout)

    async def aflush(self, timeout: float = 30.0) -> FlushResult:
        """Flush as `flush` does, without blocking the event loop: `await audit.aflush()`."""
        import asyncio  # a service without asyncio does not pay for importing it

        return await asyncio.to_thread(self.flush, timeout)

    def close(self, timeout: float | None = None) -> FlushResult:
        """Flush for `timeout` seconds, by default `close_timeout_s`, and end the client's threads.

        Events that Kafka has not acknowledged by then fail, and the result says so. A second call does nothing.
        """
        with self._lock:
            if self._closed:
                return FlushResult(0, 0, (), 0)
            self._closed = True
            delivery = self._delivery
        patience = self.config.close_timeout_s if timeout is None else timeout
        result = self._tracker.flush(0 if self._in_callback() else patience, seal=True)
        if delivery is not None:
            if result.pending:
                delivery.abandon()
                result = result.followed_by(self._tracker.flush(_ABANDON_S))
            delivery.stop()
        self._schemas.close()
        process_exit.forget(self)
        return result

    @property
    def stats(self) -> ClientStats:
        """Counters since the client was made."""
        tracker = self._tracker
        return ClientStats(
            emitted=tracker.emitted,
            delivered=tracker.delivered,
            failed=tracker.failed,
            pending=tracker.pending,
            rejected=self._rejected,
            buffer_full=self._buffer_full,
            producer_restarts=self._restarts,
        )

    def __enter__(self) -> AuditClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; raises what went wrong with the delivery, unless another error is on its way already."""
        result = self.close()
        if kind is None:
            result.raise_for_failure()

    def _encoded(self, event: AuditEvent, *, may_ask: bool) -> bytes:
        """The Kafka value. Before a contract refuses an event, the registry is asked whether that is the newest."""
        tenant, limit = event.tenant_id, self.config.max_event_bytes
        encoder = self._schemas.encoder(tenant)
        try:
            return encoder.encode(event, limit)
        except EventTooLarge:
            raise
        except InvalidEvent:
            if not may_ask and self._schemas.may_be_stale(tenant):
                raise SchemaMayBeStale from None
            newer = self._schemas.refreshed(tenant, encoder, may_ask=may_ask)
            if newer is None:
                raise
        return newer.encode(event, limit)

    def _event(self, event: AuditEvent | None, values: dict[str, Any]) -> AuditEvent:
        if event is None:
            if not values.keys() <= _NAMED:
                own = {name: values.pop(name) for name in list(values) if name not in _NAMED and name != "fields"}
                values["fields"] = {**_mapping(values.get("fields", {})), **own}
            if self.config.source:
                values.setdefault("source", self.config.source)
            event = AuditEvent.checked(values)
        elif values:
            raise InvalidEvent("Give either an event or its fields, not both.", field=next(iter(values)))
        elif not isinstance(event, AuditEvent):
            raise InvalidEvent(
                f"An event is an AuditEvent, not {type(event).__name__}.",
                fix="Give its fields by name: emit(**fields).",
            )
        check_tenant(event.tenant_id, ours=self._own_events)
        if event.source and is_ours(event.source) and not self._own_events:
            raise InvalidEvent(
                f"source {event.source[:120]!r} is reserved for auditlane's own events.",
                field="source",
                fix="Name the service that sends the event, or leave source out.",
            )
        check_time(event.occurred_at, datetime.now(UTC))
        return event

    def _suggest(self, error: InvalidEvent, values: Mapping[str, Any]) -> None:
        """Add to the error what a misspelt keyword may have meant, which a type checker takes for a field of a
        contract. Not where events are refused by the thousand, in `send`: this takes a fraction of a millisecond.
        """
        own, name = values.get("fields"), error.field
        if not isinstance(own, Mapping) or not name:
            return
        if name in _NAMED and name not in values:
            meant = did_you_mean(name, own)
            hint = meant and f"Did you mean {name} by {meant.removeprefix('Did you mean ')}"
        elif name in own and name not in (known := self._known_fields(values)):
            hint = did_you_mean(name, known)
        else:
            return
        error.fix = f"{hint} {error.fix}".strip()

    def _known_fields(self, values: Mapping[str, Any]) -> list[str]:
        tenant = values.get("tenant_id")
        known = self.own_fields(tenant) if isinstance(tenant, str) and self.knows(tenant) else ()
        return [*BASE_FIELDS, *known]

    def _key(self, event: AuditEvent) -> bytes:
        """The tenant, and for a spread one the shard that the event's id falls on, as does a re-send."""
        shards = self.config.shards.get(event.tenant_id)
        return key_of(event.tenant_id, shards and zlib.crc32(event.event_id.encode()) % shards)

    def _current_delivery(self) -> Delivery:
        """The delivery, made anew after a fatal producer error and in a forked child."""
        delivery = self._delivery
        if delivery is not None and delivery.fatal is None:
            return delivery
        with self._lock:
            if self._delivery is delivery:
                made = Delivery(self.config, self._tracker, self._on_error)
                if self._delivery is delivery:
                    self._delivery = made
                    self._restarts += 1
                    if delivery is not None:
                        delivery.abandon()
                        delivery.stop(0)
                else:  # a signal handler made one meanwhile
                    made.stop(0)
            assert self._delivery is not None
            return self._delivery

    def _in_callback(self) -> bool:
        return self._delivery is not None and self._delivery.is_this_thread()

    def _repatched(self) -> None:
        """gevent or eventlet have replaced threads after the client was made. Raises ConfigError."""
        if self._delivery is not None:
            raise ConfigError(
                "Threads were replaced (gevent, eventlet) after the audit client was made.",
                fix="Do the monkey patching first, or make the AuditClient after it.",
            )
        self.after_fork()

    def before_fork(self, deadline: float) -> None:
        """Let what the client's threads do come to an end where a child could not go on with it."""
        self._schemas.wait_until_idle(max(deadline - time.monotonic(), 0.0))

    def after_fork(self) -> None:
        """In the child: new locks and counters, and no producer until one is needed.

        The parent's cannot even be destroyed here, as that waits for threads that only the parent has.
        """
        if self._delivery is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._delivery.producer))
        self._lock = threading.RLock()
        self._threads = green.kind()
        self._tracker = DeliveryTracker()
        self._delivery = None
        self._rejected = self._buffer_full = self._restarts = 0
        if not self._closed:
            self._schemas.after_fork(_registry(self.config))

    def end(self) -> None:
        """Close at the end of the process, and log what Kafka has not got by then."""
        if not (result := self.close()):
            lost = result.failed_count + result.pending
            say(logging.ERROR, "%d audit events were not delivered before the exit", lost)
        write_all()

    def end_soon(self) -> None:
        """Flush at what may be the end of the process: other threads may still emit."""
        self._tracker.flush(self.config.close_timeout_s)
        write_all()


def _mapping(given: Any) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        try:
            return dict(given)
        except MemoryError:
            raise
        except Exception as error:  # a method of its own
            raise InvalidEvent(
                f"fields cannot be read, as the value itself raised {type(error).__name__}.", field="fields"
            ) from error
    raise InvalidEvent(
        f"fields must be an object of the tenant's own fields by name, not {type(given).__name__}.",
        field="fields",
        fix="Leave it out, or give a dict.",
    )


def _check_headers(headers: Mapping[str, str]) -> None:
    for name in headers:
        if name.strip().lower().startswith(RESERVED):
            raise InvalidInput(
                f"The Kafka header {name[:120]!r} is reserved: no header of a sender begins with {RESERVED!r}.",
                field=name,
                fix="Choose another name for it.",
            )


def _registry(config: ClientConfig) -> Registry:
    from auditlane.contract.registry import RegistryClient  # imports an HTTP client and TLS: not before it is used

    return RegistryClient(
        config.registry_url,
        user=config.registry_user,
        password=config.registry_password,
        token=config.registry_token,
        ca=config.registry_ca or None,
    )
