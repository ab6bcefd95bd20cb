"""The gateway's use of the SDK: client options, waiting for acknowledgements, and the errors that callers see."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any, Final

from auditlane.runtime.errors import (
    AuditlaneError,
    BufferFull,
    ClientClosed,
    ConfigError,
    DeliveryFailed,
    KafkaUnavailable,
    RegistryRefused,
    RegistryUnavailable,
    SpoolFailed,
)
from auditlane.runtime.settings import Settings, variable
from auditlane.sdk import ClientConfig

_SPOOLED_TIMEOUT_MS: Final = 60_000  # time after which an event on disk is handed to Kafka's client again
_AGAIN: Final = (
    "Send it again with the same event_id and occurred_at, or the same Idempotency-Key, to avoid a duplicate."
)


def client_config(settings: Settings) -> ClientConfig:
    """Return the SDK's options. Options missing from the settings come from the environment. Raises ConfigError if any
    is invalid.
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
        delivery_mode="fast",
        **_spool_options(settings),
        max_block_ms=0,  # a full buffer is an immediate error, since the caller still has the event
        buffer_bytes=settings.ingest_buffer_bytes,
    )


def _spool_options(settings: Settings) -> dict[str, Any]:
    """Return the spool's options. Raises ConfigError if the settings do not determine a folder."""
    if not settings.ingest_spool_bytes:
        # After this time, the caller has its response, so an older message must not stay in the buffer.
        return {"spool_dir": "", "delivery_timeout_ms": settings.ingest_ack_timeout_ms}
    folder = settings.ingest_spool_dir
    if folder is None and settings.signing_keys_file is not None:
        folder = settings.signing_keys_file.parent / "ingest"
    if folder is None:
        raise ConfigError(
            "AUDITLANE_INGEST_SPOOL_BYTES is set, but AUDITLANE_INGEST_SPOOL_DIR is not.",
            field=variable("ingest_spool_dir"),
            fix="Set AUDITLANE_INGEST_SPOOL_DIR to a folder on a local disk for the events.",
        )
    return {
        "spool_dir": str(folder),
        "spool_bytes": settings.ingest_spool_bytes,
        "spool_full": "raise",
        "spool_sync": "1s",  # syncing each event would block the event loop
        "delivery_timeout_ms": max(settings.ingest_ack_timeout_ms, _SPOOLED_TIMEOUT_MS),
    }


def public_error(error: AuditlaneError | None) -> AuditlaneError:
    """Return the error for an HTTP client, without host names. None means that Kafka did not acknowledge in time."""
    if error is None or isinstance(error, (DeliveryFailed, KafkaUnavailable)):
        return KafkaUnavailable(
            "Kafka did not acknowledge the event in time. It may still have been stored.", fix=_AGAIN
        )
    if isinstance(error, SpoolFailed):
        return KafkaUnavailable(
            "The event could neither be delivered nor stored on disk; it was not accepted.", fix=_AGAIN
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
SPOOLED: Final = "spooled"  # on disk, to be sent once Kafka is available
Ack = AuditlaneError | str | None  # ACKNOWLEDGED, SPOOLED, an error, or None while pending


class AckWaiter:
    """Waits for the acknowledgements of a request's events. Created and awaited on one event loop; settled from any
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
        """Record an event's outcome, exactly once. `error` is None if Kafka has acknowledged it."""
        self._record(place, error or ACKNOWLEDGED)

    def spooled(self, place: int) -> None:
        """Record that an event is on disk, which is its outcome unless Kafka acknowledges it first."""
        self._record(place, SPOOLED)

    def acknowledged(self, places: Iterable[int]) -> None:
        """Record that Kafka has acknowledged these events."""
        acks = self.acks
        with self._lock:
            before = self._left
            for place in places:
                if acks[place] is None:
                    acks[place] = ACKNOWLEDGED
                    self._left -= 1
            last = before and not self._left
        if last:
            self._loop.call_soon_threadsafe(self._resolve, True)

    def _record(self, place: int, ack: Ack) -> None:
        with self._lock:
            if self.acks[place] is not None:
                return
            self.acks[place] = ack
            self._left -= 1
            last = not self._left
        if last:
            self._loop.call_soon_threadsafe(self._resolve, True)

    async def wait(self, timeout_s: float) -> list[Ack]:
        """Wait up to `timeout_s` for all events to settle, and return their acks, with None for pending events."""
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
