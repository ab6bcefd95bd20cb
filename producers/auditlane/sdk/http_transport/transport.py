"""The transport over HTTP. Its events are lines of JSON, and the gateway knows the contracts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from auditlane.contract.event import AuditEvent
from auditlane.runtime.errors import ConfigError, GatewayUnavailable, Unavailable
from auditlane.sdk.config import HTTP_SPOOL, ClientConfig
from auditlane.sdk.http_transport import compiled_lines
from auditlane.sdk.http_transport.delivery import HttpDelivery
from auditlane.sdk.http_transport.lines import line_of
from auditlane.sdk.transport import Encoded, OnError, Receiver

if TYPE_CHECKING:
    from auditlane.sdk.delivery_tracker import DeliveryTracker


class HttpTransport:
    """Encodes events as JSON, and delivers them to the gateway. Immutable. See `Transport`."""

    has_headers = False

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self.unavailable: type[Unavailable] = GatewayUnavailable
        self.plain_topic = ""
        self.spool_dir = str(Path(config.spool_dir) / HTTP_SPOOL) if config.spool_dir else ""
        self.other_spool_dir = config.spool_dir

    def deliver(self, tracker: DeliveryTracker, on_error: OnError | None, receiver: Receiver | None) -> HttpDelivery:
        return HttpDelivery(self._config, tracker, on_error, receiver)

    def encoded(self, values: Mapping[str, Any]) -> Encoded | None:
        found = compiled_lines.encoded(values, self._config.max_event_bytes)
        return None if found is None else (values["tenant_id"], *found)

    def encode_all(self, objects: Sequence[object], defaults: Mapping[str, str]) -> Iterable[Encoded | None]:
        return [None] * len(objects)

    def encode(self, event: AuditEvent, *, may_ask: bool) -> bytes:
        return line_of(event, self._config.max_event_bytes)

    def route(self, tenant: str, event_id: str) -> tuple[str, bytes]:
        return "", b""

    def knows(self, tenant: str) -> bool:
        return True

    def check_prepares(self) -> None:
        raise _needs_kafka("An event can be prepared only for Kafka.")

    def prefetch(self, tenant: str) -> None:
        """Do nothing: the gateway has the contracts."""

    def encoder(self, tenant: str) -> NoReturn:
        raise _needs_kafka("This needs the tenant's contract, which a client that sends to the gateway does not have.")

    def own_fields(self, tenant: str) -> frozenset[str]:
        return frozenset()

    def contract_changed(self, tenant: str | None) -> None:
        """Do nothing: there is no cached contract."""

    def close(self) -> None:
        """Do nothing: the delivery closes its connections."""

    def before_fork(self, timeout_s: float) -> None:
        """Do nothing: a child creates its own connections and locks."""

    def after_fork(self, *, closed: bool) -> None:
        """Do nothing: there is no state."""


def _needs_kafka(message: str) -> ConfigError:
    return ConfigError(message, field="url", fix="Use a client with kafka_bootstrap and registry_url.")
