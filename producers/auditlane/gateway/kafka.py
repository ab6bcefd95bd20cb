"""The gateway's use of the SDK. It sets the client's options, waits for acknowledgements, and returns the errors that
callers see.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from auditlane.runtime.errors import (
    AuditlaneError,
    BufferFull,
    ClientClosed,
    DeliveryFailed,
    KafkaUnavailable,
    RegistryRefused,
    RegistryUnavailable,
)
from auditlane.runtime.settings import Settings
from auditlane.sdk import ClientConfig

_AGAIN: Final = (
    "Send it again with the same event_id and occurred_at, or the same Idempotency-Key, to avoid a duplicate."
)


def client_config(settings: Settings) -> ClientConfig:
    """Return the SDK's options. Options that the settings lack come from the environment. Raises ConfigError if one is
    invalid.
    """
    return ClientConfig.load(
        kafka_bootstrap=settings.kafka_bootstrap,
        kafka_extra=settings.kafka_extra,
        registry_url=settings.registry_url,
        registry_user=settings.registry_user,
        registry_password=settings.registry_password.get_secret_value(),
        registry_token=settings.registry_token.get_secret_value(),
        registry_ca=settings.registry_ca,
        registry_refresh_s=settings.registry_refresh_s,
        registry_wait_ms=settings.ingest_ack_timeout_ms,
        topic=settings.topic,
        max_event_bytes=settings.max_event_bytes,
        max_block_ms=0,  # a full buffer is an immediate error: the caller still has the event
        buffer_bytes=settings.ingest_buffer_bytes,
        # After this time the caller has its response, so an older message must not stay in the buffer.
        delivery_timeout_ms=settings.ingest_ack_timeout_ms,
    )


def public_error(error: AuditlaneError | None) -> AuditlaneError:
    """Return the error for an HTTP client, without host names. An `error` of None means that Kafka did not acknowledge
    in time.
    """
    if error is None or isinstance(error, (DeliveryFailed, KafkaUnavailable)):
        return KafkaUnavailable(
            "Kafka did not acknowledge the event in time. It may still have been stored.", fix=_AGAIN
        )
    if isinstance(error, BufferFull):
        return BufferFull("Events arrive faster than Kafka accepts them; this event was not accepted.", fix=_AGAIN)
    if isinstance(error, ClientClosed):
        return KafkaUnavailable("The service is shutting down; the event was not accepted.", fix=_AGAIN)
    if isinstance(error, RegistryUnavailable):
        return RegistryUnavailable(
            "The tenant's contract is temporarily unavailable; the event was not accepted.", fix=_AGAIN
        )
    if isinstance(error, RegistryRefused):
        return RegistryRefused(
            "The registry has no usable contract for this tenant; the event was not accepted.",
            fix="Correct the tenant's contract, or ask an operator to do so.",
        )
    return error


ACKNOWLEDGED: Final = "acknowledged"
Ack = AuditlaneError | str | None  # ACKNOWLEDGED, an error, or None while it is pending


class AckWaiter:
    """Waits for the acknowledgements of a request's events. Create and await it on one event loop; settle it from any
    thread.

    `acks` has one entry per event, in order.
    """

    def __init__(self, events: int) -> None:
        self.acks: list[Ack] = [None] * events
        self._left = events
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._all: asyncio.Future[bool] = self._loop.create_future()

    def settle(self, place: int, error: AuditlaneError | None) -> None:
        """Record the outcome of one event, exactly once. `error` is None if Kafka has acknowledged it."""
        with self._lock:
            self.acks[place] = error or ACKNOWLEDGED
            self._left -= 1
            last = not self._left
        if last:
            self._loop.call_soon_threadsafe(self._resolve, True)

    async def wait(self, timeout_s: float) -> list[Ack]:
        """Wait up to `timeout_s` for all events to settle, and return their acks. The ack of a pending event is
        None.
        """
        if self._left:
            timer = self._loop.call_later(timeout_s, self._resolve, False)
            try:
                await self._all
            finally:
                timer.cancel()
        return list(self.acks)

    def _resolve(self, complete: bool) -> None:
        if not self._all.done():
            self._all.set_result(complete)
