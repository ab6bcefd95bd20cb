"""How the gateway uses the SDK's client: its options, waiting for acknowledgements, and the errors that callers see."""

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

_AGAIN: Final = "Send it again: with the same event_id and occurred_at, or the same Idempotency-Key, that is harmless."


def client_config(settings: Settings) -> ClientConfig:
    """Raises ConfigError that names every wrong variable. Shards and tenants' topics are read as the SDK reads them."""
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
        max_block_ms=0,  # no room is an answer, not a wait: the caller holds the event
        buffer_bytes=settings.ingest_buffer_bytes,
        # Nobody waits any longer for a message that is older than this, so none is kept.
        delivery_timeout_ms=settings.ingest_ack_timeout_ms,
    )


def public_error(error: AuditlaneError | None) -> AuditlaneError:
    """The error as a client over HTTP may see it: without our hosts. None: nothing was heard in time."""
    if error is None or isinstance(error, (DeliveryFailed, KafkaUnavailable)):
        return KafkaUnavailable(
            "Kafka did not acknowledge the event in time; it may be stored all the same.", fix=_AGAIN
        )
    if isinstance(error, BufferFull):
        return BufferFull("Kafka takes events more slowly than they arrive; this one was not taken.", fix=_AGAIN)
    if isinstance(error, ClientClosed):
        return KafkaUnavailable("The service is stopping; the event was not taken.", fix=_AGAIN)
    if isinstance(error, RegistryUnavailable):
        return RegistryUnavailable("The tenant's contract cannot be read now; the event was not taken.", fix=_AGAIN)
    if isinstance(error, RegistryRefused):
        return RegistryRefused("The registry has no usable contract for this tenant; the event was not taken.")
    return error


ACKNOWLEDGED: Final = "acknowledged"
Ack = AuditlaneError | str | None  # ACKNOWLEDGED, an error, or None while nothing is known


class AckWaiter:
    """`acks` has one entry per event, in their order. Made and awaited on a loop; settled from any thread."""

    def __init__(self, events: int) -> None:
        self.acks: list[Ack] = [None] * events
        self._left = events
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._all: asyncio.Future[bool] = self._loop.create_future()

    def settle(self, place: int, error: AuditlaneError | None) -> None:
        """Report one event, once: None when Kafka has it."""
        with self._lock:
            self.acks[place] = error or ACKNOWLEDGED
            self._left -= 1
            last = not self._left
        if last:
            self._loop.call_soon_threadsafe(self._resolve, True)

    async def wait(self, timeout_s: float) -> list[Ack]:
        """Return the acks once all are known, or after `timeout_s` with None for those that are not."""
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
