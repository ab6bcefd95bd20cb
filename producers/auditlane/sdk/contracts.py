"""Which schema a tenant's events are written with, learnt from the registry and refreshed behind the emitter's back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from auditlane.contract.tenants import base_subject, tenant_subject
from auditlane.runtime.errors import AuditlaneError, RegistryUnavailable, SchemaNotFound
from auditlane.sdk.encoding import Encoder

log = logging.getLogger("auditlane.sdk")
RETRY_S: Final = 1.0  # a registry that just failed is not asked again before


class Registered(Protocol):
    @property
    def schema_id(self) -> int: ...
    @property
    def schema(self) -> str: ...


class Registry(Protocol):
    """The part of `contract.registry.RegistryClient` that is needed here."""

    def subjects(self) -> frozenset[str]: ...
    def latest(self, subject: str) -> Registered: ...
    def close(self) -> None: ...


class Contracts:
    """`encoder(tenant)` answers from what is known, however old, and has a thread refresh what is older than
    `refresh_s`. Only what was never known is asked for at once. Thread-safe."""

    def __init__(
        self, registry: Registry, *, topic: str, refresh_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._topic = topic
        self._base = base_subject(topic)
        self._refresh_s = refresh_s
        self._clock = clock
        self._lock = threading.Lock()
        self._subjects: frozenset[str] = frozenset()
        self._listed_at: float | None = None
        self._encoders: dict[str, tuple[float, Encoder]] = {}  # by subject, with when it was asked for
        self._parsed: dict[tuple[str, int], Encoder] = {}
        self._failed: tuple[float, AuditlaneError] | None = None
        self._refreshing = False
        self._refresh_after = 0.0

    def encoder(self, tenant: str) -> Encoder:
        """Raises RegistryUnavailable or RegistryRefused when nothing is known yet and the registry does not help."""
        now = self._clock()
        own = tenant_subject(self._topic, tenant)
        known = self._encoders.get(own if own in self._subjects else self._base)
        if known is None or self._listed_at is None:
            with self._lock:
                return self._learn(own, now)
        asked_at, encoder = known
        if now - min(asked_at, self._listed_at) > self._refresh_s and now >= self._refresh_after:
            self._start_refresh(own)
        return encoder

    def close(self) -> None:
        self._registry.close()

    def after_fork(self, registry: Registry) -> None:
        """In a forked child: keep what is known, drop the parent's locks and sockets."""
        self._registry = registry
        self._lock = threading.Lock()
        self._refreshing = False

    def _learn(self, subject: str, now: float) -> Encoder:
        if self._failed is not None and now - self._failed[0] < RETRY_S:
            raise self._failed[1]
        try:
            if self._listed_at is None:
                self._list()
            subject = subject if subject in self._subjects else self._base
            if subject not in self._encoders:
                self._ask(subject)
        except AuditlaneError as error:
            explained = self._explained(error)
            self._failed = self._clock(), explained
            raise explained from error
        self._failed = None
        return self._encoders[subject][1]

    def _list(self) -> None:
        self._subjects = self._registry.subjects()
        self._listed_at = self._clock()

    def _ask(self, subject: str) -> None:
        latest = self._registry.latest(subject)
        key = subject, latest.schema_id
        if key not in self._parsed:
            self._parsed[key] = Encoder.parse(subject, latest.schema_id, latest.schema)
        self._encoders[subject] = self._clock(), self._parsed[key]

    def _explained(self, error: AuditlaneError) -> AuditlaneError:
        if isinstance(error, RegistryUnavailable):
            return RegistryUnavailable(
                f"The first event of a contract needs the schema registry, and it is away: {error.message}",
                fix=error.fix or "Start it, or correct AUDITLANE_REGISTRY_URL. Nothing was sent; emit again.",
            )
        if isinstance(error, SchemaNotFound):
            return SchemaNotFound(
                f"The registry holds no schema for the topic {self._topic}: {error.message}",
                fix="Run `auditlane init`, or correct AUDITLANE_TOPIC and AUDITLANE_REGISTRY_URL.",
            )
        return error

    def _start_refresh(self, subject: str) -> None:
        with self._lock:
            if self._refreshing:
                return
            self._refreshing = True
        threading.Thread(target=self._refresh, args=(subject,), name="auditlane-contracts", daemon=True).start()

    def _refresh(self, own: str) -> None:
        """What fails here is asked again a moment later; until then the old answer stands."""
        try:
            if self._listed_at is None or self._clock() - self._listed_at > self._refresh_s:
                self._list()
            self._ask(own if own in self._subjects else self._base)
        except AuditlaneError as error:
            log.warning("contracts are not refreshed, the known ones go on: %s", error)
            self._refresh_after = self._clock() + RETRY_S
        finally:
            self._refreshing = False
