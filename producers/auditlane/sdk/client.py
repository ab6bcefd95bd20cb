"""The SDK's entry point. `AuditClient` takes an event as keywords or as an AuditEvent, checks it and emits it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from types import TracebackType
from typing import Any, Literal, Never, get_overloads, overload
from uuid import UUID

from auditlane.contract.event import AuditEvent, Outcome, OutcomeName, Severity, SeverityName
from auditlane.contract.provenance import Sign, check_headers, is_ours
from auditlane.contract.registry_reader import Observe
from auditlane.contract.tenants import tenant_of_key
from auditlane.runtime.errors import ConfigError, InvalidEvent
from auditlane.sdk.config import OPTIONS, ClientConfig
from auditlane.sdk.context import fill
from auditlane.sdk.event_builder import EventBuilder, suggest
from auditlane.sdk.publisher import EventPublisher, Prepared
from auditlane.sdk.recording import Recorder
from auditlane.sdk.recording_methods import RecordingMethods
from auditlane.sdk.redaction import Redaction
from auditlane.sdk.results import ClientStats, FlushResult
from auditlane.sdk.transport import Encoded, OnBatch, OnError, OnSettled
from auditlane.sdk.typed_events import filled


def _documented_signature(function: Callable[..., object]) -> inspect.Signature:
    """Return the signature for help(), notebooks and mocks.

    This is the keyword overload with every parameter optional, since passing only an event is also valid.
    """
    signature = inspect.signature(get_overloads(function)[-1])
    parameters = dict(signature.parameters)
    parameters["event"] = parameters["event"].replace(annotation="AuditEvent | None")
    parameters["action"] = parameters["action"].replace(default=...)
    return signature.replace(parameters=list(parameters.values()))


class AuditClient(RecordingMethods):
    """Emits audit events to Kafka. Create one client per process and share it. The client is thread-safe and works with
    asyncio.

        with AuditClient() as audit:  # reads AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_REGISTRY_URL
            audit.emit(tenant_id="acme", action="document.deleted", actor_id="user-17", outcome="success")

    `emit` checks an event and buffers it, and a background thread delivers it. `flush` waits for the delivery, and so
    do `close` and leaving the `with` block. After a fork, the child starts with an empty buffer and its own producer.
    The parent delivers what it has buffered. `emit`, `flush` and `close` may be called in a signal handler.
    """

    def __init__(
        self,
        config: ClientConfig | None = None,
        *,
        on_error: OnError | None = None,
        url: str | None = None,
        token: str | Callable[[], str] | None = None,
        token_file: str | None = None,
        client_id: str | None = None,
        secret: str | None = None,
        secret_file: str | None = None,
        url_ca: str | None = None,
        allow_http: bool | None = None,
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
        delivery_mode: Literal["fast", "durable", "sync"] | None = None,
        spool_dir: str | None = None,
        spool_bytes: int | None = None,
        spool_full: Literal["block", "drop_oldest", "raise"] | None = None,
        spool_sync: Literal["never", "1s", "always"] | None = None,
        catch_all_tenant: str | None = None,
        redact: Set[str] | None = None,
        hash_values: Set[str] | None = None,
        hash_key: str | None = None,
        own_events: bool = False,
        own_headers: bool = False,
        sign: Sign | None = None,
        observe_registry: Observe | None = None,
        **unknown: Never,
    ) -> None:
        """Connect in the background. Kafka and the registry may be down.

        An option that is omitted or None is taken from `config`. Without a `config`, it is read from the environment
        variable `AUDITLANE_<OPTION>`, and then falls back to the default of ClientConfig.

        Args:
            config: Options, such as `ClientConfig.load` returns.
            on_error: Called as `on_error(error, event_id)` on a background thread, for each event that could not be
                delivered. `event_id` is None when Kafka becomes unreachable, and again every 30 s until it is back. By
                default, failures are logged to `auditlane.sdk`.
            url: URL of the gateway, such as `https://audit.example.com`. If it is set, events are sent there instead of
                to Kafka, and the options about Kafka and the registry are not used.
            token: Token for the gateway, or a function that returns one, and is called again when it is rejected.
            token_file: Path of a file with the token, which is read again when the token is rejected.
            client_id: Id of a client, used with `secret` instead of a token: tokens are fetched and renewed.
            secret: Secret of that client.
            secret_file: Path of a file with that secret, which is read for each new token.
            url_ca: Path of a PEM file with the certificate authorities to trust for the gateway.
            allow_http: Whether `url` may use http to another host, for networks that encrypt by themselves; default
                false.
            kafka_bootstrap: Brokers as `host:port`, separated by commas. Required without `url`, here or in the
                environment.
            registry_url: URL of the schema registry. Required without `url`, here or in the environment.
            kafka_extra: Further librdkafka options, such as those for SASL and TLS.
            registry_user: User name for HTTP basic authentication with the registry.
            registry_password: Password for HTTP basic authentication with the registry.
            registry_token: Bearer token for the registry, instead of a user name and password.
            registry_ca: Path of a PEM file with the certificate authorities to trust for the registry.
            registry_refresh_s: Seconds between refreshes of cached schemas; default 30.
            registry_wait_ms: Milliseconds that the first event of a tenant may wait for the registry; default 5000.
            topic: Kafka topic of the events; default `audit.events`.
            max_event_bytes: Maximum size of an encoded event in bytes; default 524288.
            source: `source` of events that do not set their own; default none.
            shards: Number of message keys per tenant id, to spread a large tenant over partitions; default 1 each.
            dedicated_tenants: Ids of tenants whose events go to their own topic, `<topic>.<tenant>`; default none.
            compression: `lz4` (default) or `zstd`.
            max_block_ms: Milliseconds that `emit` may wait when the buffer is full; default 0.
            buffer_bytes: Size of the buffer in bytes; default 67108864.
            delivery_timeout_ms: Milliseconds after which an event that Kafka has not acknowledged fails; default
                120000.
            close_timeout_s: Seconds that `close`, and the exit of the process, may take to flush; default 10.
            delivery_mode: `fast` (default) buffers events in memory; `durable` writes each to `spool_dir` before `emit`
                returns; `sync` waits in `emit` until Kafka has acknowledged the event, for `delivery_timeout_ms`.
            spool_dir: Folder, shared by the service's processes, for events that Kafka has not acknowledged; default
                none. `fast` writes to it as soon as Kafka does not acknowledge events within a second.
            spool_bytes: Maximum size of the folder's files in bytes; default 268435456.
            spool_full: What `emit` does when the spool or its disk is full: `block` (default) waits for `max_block_ms`
                and then raises, `drop_oldest` deletes the oldest events, and `raise` raises at once.
            spool_sync: When written events are synced to disk, so that they survive a power failure: `never`
                (default), `1s` for once a second, or `always` before `emit` returns.
            catch_all_tenant: Id of the tenant for recorded events without a valid one; default `unassigned`.
            redact: Values to remove from every event: `ip`, `actor_id`, `actor_name`, `on_behalf_of`, `resource_id`,
                `description`, `user_agent`, `metadata.<key>`, `fields.<name>`, or `changes.<key>` for a key at any
                depth of `before` and `after`; default none.
            hash_values: Values to replace with a keyed hash, with the same names except `ip`; default none.
            hash_key: The key of these hashes, at least 16 characters.
            own_events: Internal: allow auditlane's own tenant and `source`.
            own_headers: Internal: allow Kafka headers that start with `auditlane.`.
            sign: Internal: `sign(key, value)` returns a Kafka header that proves who sent the message.
            observe_registry: Internal: called as `observe_registry(result, seconds)` after every request to the
                registry.
            unknown: Rejected; there are no other options.

        Raises:
            ConfigError: Options are missing, invalid or unknown; the message lists all of them.
        """
        given = {name: value for name, value in locals().items() if name in OPTIONS and value is not None} | unknown
        self.config = config.changed(**given) if config else ClientConfig.load(**given)
        if is_ours(self.config.source) and not own_events:
            raise ConfigError(
                f"The source {self.config.source!r} is reserved for auditlane's own events.",
                field="AUDITLANE_SOURCE",
                fix="Set it to the name of the service that sends the events.",
            )
        self._own_headers = own_headers
        redaction = Redaction.made(self.config.redact, self.config.hash_values, self.config.hash_key)
        self._builder = EventBuilder(self.config.source, redaction, own_events=own_events)
        self._publisher = EventPublisher(self.config, on_error, sign, observe_registry)
        self._recorder = Recorder(self._emit_filled, self._publisher.report, self.config.catch_all_tenant)

    @overload
    def emit(self, event: AuditEvent, /) -> str: ...

    @overload
    def emit(
        self,
        event: None = None,
        /,
        *,
        tenant_id: str = ...,
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
        """Check one event and buffer it. Returns before Kafka has acknowledged the event. Call `flush` to wait for
        that.

            audit.emit(
                tenant_id="acme",
                action="document.deleted",
                actor_id="user-17",
                resource="document",
                resource_id="d-98765",
                outcome="success",
                before={"title": "Draft"},
                metadata={"region": "eu-1"},
                project="moon",  # a custom field of the tenant's contract
            )

        Pass either an AuditEvent, or its fields as keywords. Only `action` is required, and `tenant_id` unless a
        `context` provides it. Inside a context, omitted fields about the tenant, the actor and the request are taken
        from it.

        Args:
            event: A complete event. It cannot be combined with keywords.
            tenant_id: 1 to 100 letters, digits, `.`, `_` or `-`, starting with a letter or digit.
            action: What happened, such as `document.deleted`.
            event_id: UUID; default: a new one. Emitting the same id, time and content again is harmless.
            occurred_at: Datetime with a time zone, or RFC 3339 text; between ten years ago and a day ahead. Default:
                now.
            actor_id: Id of the user or service that performed the action.
            actor_type: `user`, `service`, `api_key`, `system`, `anonymous`, or a type of your own.
            actor_name: Display name of the actor.
            on_behalf_of: Id of the user that the actor acted for.
            resource: Type of the object that was acted on, such as `document`.
            resource_id: Id of that object.
            outcome: `unknown`, `success`, `failure` or `denied`, as text or Outcome.
            severity: `Info`, `Low`, `Medium`, `High`, `Critical` or `Error`, as text or Severity.
            description: One sentence for readers of the log.
            ip: IPv4 or IPv6 address that the request came from.
            user_agent: The request's `User-Agent` header.
            request_id: Id that links the event to a request or trace.
            before: State before the change: text, kept unchanged, or any value that JSON can represent exactly.
            after: State after the change, in the same form.
            source: Name of the emitting service; default: the client's `source`.
            metadata: Further text values by name.
            fields: Custom fields of the tenant's contract, by name.
            custom: Custom fields as keywords; they take precedence over `fields`.

        Returns:
            The event's `event_id`.

        Raises:
            InvalidEvent: The event violates a base rule or the tenant's contract; `error.field` names the field. Its
                subclass EventTooLarge: the encoded event exceeds `max_event_bytes`.
            BufferFull: The buffer had no room within `max_block_ms`; the event was not accepted. Its subclass
                SpoolFull: the spool or its disk had none.
            SpoolFailed: The spool cannot be written; the event was not accepted.
            KafkaUnavailable, DeliveryFailed: In the mode `sync`, Kafka did not acknowledge the event.
            RegistryUnavailable, RegistryRefused: The tenant's schema is not cached and cannot be fetched. With a spool,
                the event is written there instead of raising RegistryUnavailable, and validated later.
            ClientClosed: The client is closed.

        Only the first event of a tenant waits for the registry: for up to `registry_wait_ms`, and while the registry
        keeps failing, for 0.1 s once a second. An event that the cached contract rejects may wait as well, for up to
        one second and at most once a second per tenant, because the contract may have changed.
        """
        try:
            if event is None:
                traced = fill(values, self._recorder.report_resolver)
                return self._emit_filled(values, traced)
            if isinstance(event, AuditEvent) and type(event) is not AuditEvent:
                return self._publisher.send(partial(self._typed_event, event, values))
            return self._publisher.send(partial(self._builder.build, event, values))
        except InvalidEvent as error:
            if event is None:
                suggest(error, values, partial(self._cached_fields, values.get("tenant_id")))
            raise

    emit.__signature__ = _documented_signature(emit)  # type: ignore[attr-defined]

    def send(
        self,
        event: AuditEvent,
        on_settled: OnSettled | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        may_ask: bool = True,
        sign: Sign | None = None,
        on_spooled: Callable[[], None] | None = None,
    ) -> str:
        """Emit one event like `emit`. Use this if you wait for each event separately.

        `on_settled(None)` is called once Kafka has acknowledged the event, or `on_settled(error)` if it failed. Exactly
        one of these calls is made, on a background thread, unless this method raises. `on_spooled()` is called once the
        event is on disk, unless it is settled first. `headers` are Kafka headers; a name that starts with `auditlane.`
        raises InvalidInput. `sign` overrides the client's for this event.

        With `may_ask=False`, the registry is not queried. If a contract that may be stale rejects the event, this
        raises SchemaMayBeStale.
        """
        if not self._own_headers:
            check_headers(headers or {})
        make = partial(self._builder.build, event, {})
        return self._publisher.send(make, on_settled, headers, may_ask=may_ask, sign=sign, on_spooled=on_spooled)

    def prepare(self, event: AuditEvent | None = None, /, **values: Any) -> Prepared:
        """Check and encode one event like `emit`, without sending it. `send_prepared` sends the result, possibly in
        another process.

        Never waits for a contract that is not cached: the result then has no value. Raises the same errors as `emit`.
        """
        if event is None:
            fill(values, self._recorder.report_resolver)
        typed = isinstance(event, AuditEvent) and type(event) is not AuditEvent
        make = partial(self._typed_event if typed else self._builder.build, event, values)  # type: ignore[arg-type]
        return self._publisher.prepare(make, may_wait=False)

    def encode(self, event: AuditEvent) -> bytes:
        """Return an event's Kafka value. May wait for the registry. Raises the same errors as `emit`."""
        value = self._publisher.prepare(partial(self._builder.build, event, {}), may_wait=True).value
        assert value is not None
        return value

    def send_prepared(
        self, topic: str, key: bytes, value: bytes, event_id: str, on_settled: OnSettled | None = None
    ) -> None:
        """Send the result of `prepare`. `on_settled` is called as for `send`. Raises BufferFull or ClientClosed."""
        self._publisher.send_to(topic, key, value, event_id, tenant_of_key(key), on_settled)

    def encoded(self, values: dict[str, Any]) -> Encoded | None:
        """Encode an event from `emit`'s keyword values, and return the argument for `send_encoded`. Much cheaper than
        `send`.

        Returns None if the event needs full validation. In that case, create an AuditEvent from the values and pass it
        to `send`, which also reports invalid values. Never waits for the registry. May add the default source to
        `values`.
        """
        if self._builder.redacts:
            return None
        self._builder.complete(values)
        return self._publisher.encoded(values)

    def encode_all(self, objects: Sequence[object], defaults: Mapping[str, str]) -> Iterable[Encoded | None]:
        """Encode JSON objects, in which null means absent, each once its result is requested. Much cheaper than calling
        `encoded` for each.

        `defaults` has values for fields that an object omits: source, and maybe tenant_id and request_id. A result is
        None if the object needs full validation.
        """
        return [None] * len(objects) if self._builder.redacts else self._publisher.encode_all(objects, defaults)

    def send_encoded(
        self,
        encoded: Encoded,
        on_settled: OnSettled | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        sign: Sign | None = None,
        on_spooled: Callable[[], None] | None = None,
    ) -> None:
        """Send the result of `encoded`, like `send`. Raises BufferFull, ClientClosed or DeliveryFailed."""
        if not self._own_headers:
            check_headers(headers or {})
        self._publisher.send_encoded(encoded, on_settled, headers, sign=sign, on_spooled=on_spooled)

    def send_all(
        self,
        batch: Sequence[tuple[Encoded, Sign | None]],
        on_batch: OnBatch,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send results of `encoded`, in their order, each with its own `sign` like `send_encoded`. Much cheaper than a
        call for each. `on_batch` receives their outcomes, including the errors that `send_encoded` would raise.
        """
        if not self._own_headers:
            check_headers(headers or {})
        self._publisher.send_all(batch, on_batch, headers)

    def knows(self, tenant: str) -> bool:
        """Return whether the tenant's contract is cached, so that an event would not wait for the registry."""
        return self._publisher.knows(tenant)

    def patterned(self, tenant: str) -> tuple[tuple[str, int], ...]:
        """Return each pattern's field and number of states in the tenant's contract, or () if the contract is not
        cached.
        """
        return self._publisher.encoder(tenant).patterned if self.knows(tenant) else ()

    def contract_changed(self, tenant: str | None) -> None:
        """Invalidate the cached contract of `tenant`, or all contracts if it is None."""
        self._publisher.contract_changed(tenant)

    def own_fields(self, tenant: str) -> frozenset[str]:
        """Return the names of the custom fields in the tenant's contract.

        May wait for the registry. Raises RegistryUnavailable or RegistryRefused.
        """
        return self._publisher.own_fields(tenant)

    def flush(self, timeout: float = 30.0) -> FlushResult:
        """Wait up to `timeout` seconds until Kafka has acknowledged every event emitted before this call.

            result = audit.flush(timeout=10)
            if not result:
                result.raise_for_failure()

        Returns the outcome of the events since the previous flush, which is true if Kafka has acknowledged all of them.
        Does not wait when called in `on_error`. Raises ClientClosed if the client is closed.
        """
        return self._publisher.flush(timeout)

    async def aemit(self, event: AuditEvent | None = None, /, **values: Any) -> str:
        """Emit like `emit`, without blocking the event loop: `await audit.aemit(action="document.deleted", …)`.

        Takes the arguments of `emit`, and raises the same errors. In the mode `sync`, it returns once Kafka has
        acknowledged the event.
        """
        config = self.config
        waits = config.delivery_mode == "sync" or config.spool_sync == "always" or config.max_block_ms > 0
        tenant = values.get("tenant_id") if event is None else event.tenant_id
        given = () if event is None else (event,)
        if not waits and isinstance(tenant, str) and self.knows(tenant):
            return self.emit(*given, **values)
        import asyncio  # services without asyncio do not pay for the import

        return await asyncio.to_thread(self.emit, *given, **values)

    async def aflush(self, timeout: float = 30.0) -> FlushResult:
        """Flush like `flush`, without blocking the event loop: `await audit.aflush()`."""
        import asyncio  # services without asyncio do not pay for the import

        return await asyncio.to_thread(self.flush, timeout)

    def close(self, timeout: float | None = None) -> FlushResult:
        """Flush for up to `timeout` seconds, and stop the background threads. The timeout defaults to
        `close_timeout_s`.

        With `spool_dir`, another process sends the events that Kafka has not acknowledged by then. Without it, they
        fail, and the result counts them. A second call does nothing.
        """
        return self._publisher.close(timeout)

    @property
    def stats(self) -> ClientStats:
        """Return counters of the events since the client was created."""
        recorder = self._recorder
        return replace(self._publisher.stats, unrecorded=recorder.unrecorded, unassigned=recorder.unassigned)

    def __enter__(self) -> AuditClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close, and raise an error if events were not delivered, unless the block itself raised one."""
        result = self.close()
        if kind is None:
            result.raise_for_failure()

    def _emit_filled(self, values: dict[str, Any], traced: bool = True) -> str:
        builder, publisher = self._builder, self._publisher
        if not builder.redacts:
            builder.complete(values)
            if (event_id := publisher.emit(values, traced)) is not None:
                return event_id
        return publisher.send(partial(builder.build, None, values))

    def _typed_event(self, event: AuditEvent, values: dict[str, Any]) -> AuditEvent:
        return self._builder.build(filled(event, self.config.source, self._recorder.report_resolver), values)

    def _cached_fields(self, tenant: object) -> frozenset[str]:
        return self.own_fields(tenant) if isinstance(tenant, str) and self.knows(tenant) else frozenset()
