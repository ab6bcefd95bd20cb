"""How our own events are emitted: a small client of the SDK's, and a deed as an event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from auditlane.access import provenance_keys
from auditlane.contract.event import Outcome, Severity, parse_ip
from auditlane.contract.provenance import TRAIL, Sign
from auditlane.contract.tenants import OURS
from auditlane.runtime.errors import AuditlaneError, ConfigError
from auditlane.runtime.settings import Settings, variable
from auditlane.sdk.client import AuditClient
from auditlane.sdk.results import ClientStats
from auditlane.server.tally import Dated

BUFFER_BYTES: Final = 8 << 20
DELIVERY_TIMEOUT_MS: Final = 3_600_000  # Kafka may be away for an hour before events are given up
SOURCE: Final = TRAIL


class Emitter(Protocol):
    """The part of AuditClient that is needed here."""

    @property
    def stats(self) -> ClientStats: ...
    def emit(self, /, **values: Any) -> str: ...
    def close(self, timeout: float | None = None) -> object: ...


OnError = Callable[[AuditlaneError, str | None], None]
Connect = Callable[[OnError], Emitter]


def connect(settings: Settings) -> Connect:
    """How a trail gets its client: made when there is something to emit."""
    return lambda on_error: client(settings, on_error, delivery_timeout_ms=DELIVERY_TIMEOUT_MS)


def client(settings: Settings, on_error: OnError, *, delivery_timeout_ms: int) -> AuditClient:
    """A small client for our own events. Raises ConfigError."""
    return AuditClient(
        kafka_bootstrap=settings.kafka_bootstrap,
        kafka_extra=settings.kafka_extra,
        registry_url=settings.registry_url,
        registry_user=settings.registry_user,
        registry_password=settings.registry_password.get_secret_value(),
        registry_token=settings.registry_token.get_secret_value(),
        registry_ca=str(settings.registry_ca or ""),
        topic=settings.topic,
        max_event_bytes=settings.max_event_bytes,
        buffer_bytes=BUFFER_BYTES,
        delivery_timeout_ms=delivery_timeout_ms,
        source=SOURCE,
        on_error=on_error,
        own_events=True,
        sign=signer(settings),
    )


def signer(settings: Settings) -> Sign:
    """What signs our own events, without which a worker takes them for forged. Raises ConfigError."""
    path = provenance_keys.path_of(settings)
    if path is None:
        raise ConfigError(
            "Our own events cannot be signed: there are no provenance keys.",
            field=variable("provenance_keys_file"),
            fix="Set it to the file that `serve` and the workers use; `auditlane env` prints that of a local stack.",
        )
    return provenance_keys.ProvenanceKeys.load_or_create(path).lasting_signer(TRAIL)


def event_of(dated: Dated) -> dict[str, Any]:
    """The event's fields."""
    deed = dated.deed
    return {
        "tenant_id": deed.tenant or OURS,
        "occurred_at": dated.at,
        "action": str(deed.action),
        "actor_id": deed.actor_id,
        "actor_type": deed.actor_type,
        "outcome": Outcome(deed.outcome),
        "severity": Severity.Medium if deed.outcome == "denied" else Severity.Info,
        "resource": deed.resource,
        "resource_id": deed.resource_id,
        "description": deed.description,
        "ip": deed.ip if deed.ip and parse_ip(deed.ip) else None,
        "request_id": deed.request_id,
        "metadata": dict(deed.metadata),
        "source": SOURCE,
    }
