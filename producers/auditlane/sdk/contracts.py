"""Which schema a tenant's events are written with: a thread asks the registry, so that no emitter hangs on it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from auditlane.contract.tenants import base_subject, tenant_subject
from auditlane.runtime.errors import AuditlaneError, RegistryUnavailable, SchemaNotFound
from auditlane.sdk.encoding import Encoder

log = logging.getLogger("auditlane.sdk")
RETRY_S: Final = 1.0  # a registry that just failed is not asked again before
TRY_S: Final = 0.1  # how long an emitter waits for a registry that failed before


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
    """`encoder(tenant)` answers from what is known, however old; one thread at a time asks the registry.

    What was never known is waited for: `wait_s` at most, and once the registry has failed TRY_S every RETRY_S, until it
    answers. What is known is refreshed after `refresh_s` while the old answer stands. Thread-safe.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        topic: str,
        refresh_s: float,
        wait_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._topic = topic
        self._base = base_subject(topic)
        self._refresh_s = refresh_s
        self._wait_s = wait_s
        self._clock = clock
        self._changed = threading.Condition()
        self._subjects: frozenset[str] = frozenset()
        self._listed_at: float | None = None
        self._encoders: dict[str, tuple[float, Encoder]] = {}  # by subject, with when it was asked for
        self._uses: dict[str, str] = {}  # a tenant's own subject -> the one that its events are written with
        self._parsed: dict[tuple[str, int], Encoder] = {}
        self._wanted: dict[str, None] = {}  # subjects to ask for, in their order
        self._learning = False
        # What the last question came to when it was not an answer, and when to ask again: of the registry as a whole
        # under "", else of the subject that it refused.
        self._failed: dict[str, tuple[float, AuditlaneError]] = {}

    def learn(self) -> None:
        """Begin to learn the base contract, for the first emitter to wait less."""
        with self._changed:
            self._want(self._base)

    def encoder(self, tenant: str) -> Encoder:
        """Raises RegistryUnavailable or RegistryRefused when nothing is known yet and the registry does not help."""
        own = tenant_subject(self._topic, tenant)
        if (known := self._known(own)) is None:
            return self._awaited(own)
        asked_at, encoder = known
        now = self._clock()
        if now - asked_at > self._refresh_s and not ((failed := self._failure(own)) and now < failed[0]):
            with self._changed:
                self._want(own)
        return encoder

    def knows(self, tenant: str) -> bool:
        """Whether `encoder` would answer at once."""
        return self._known(tenant_subject(self._topic, tenant)) is not None

    def close(self) -> None:
        self._registry.close()

    def after_fork(self, registry: Registry) -> None:
        """In a forked child: keep what is known, drop the parent's locks, sockets and thread."""
        self._registry = registry
        self._changed = threading.Condition()
        self._wanted = {}
        self._learning = False

    def _known(self, own: str) -> tuple[float, Encoder] | None:
        """(since when nothing was asked again, the encoder). A tenant keeps its contract until another one is known."""
        right = own if own in self._subjects else self._base
        used = self._uses.get(own)
        if self._listed_at is None or (used is None and right not in self._encoders):
            return None
        if used is None:
            used = self._uses[own] = right
        asked_at, encoder = self._encoders[used]
        return min(asked_at, self._listed_at) if used == right else -math.inf, encoder

    def _failure(self, own: str) -> tuple[float, AuditlaneError] | None:
        return self._failed.get("") or self._failed.get(own)

    def _awaited(self, own: str) -> Encoder:
        with self._changed:
            patience = self._wait_s
            if failed := self._failure(own):
                retry_at, error = failed
                if self._clock() < retry_at:
                    raise error
                self._fail(own, error)  # this emitter tries; the others go on failing at once
                patience = min(patience, TRY_S)
            self._want(own)
            asked = self._changed.wait_for(lambda: own not in self._wanted, patience)
            if (known := self._known(own)) is not None:
                return known[1]
            if asked and (failed := self._failure(own)):
                raise failed[1]
            late = RegistryUnavailable(f"It did not answer within {patience:g} s.")
            raise self._fail(own, self._explained(late))

    def _want(self, own: str) -> None:
        """With the lock held."""
        self._wanted[own] = None
        if not self._learning:
            self._learning = True
            threading.Thread(target=self._learn, name="auditlane-contracts", daemon=True).start()

    def _fail(self, own: str, error: AuditlaneError) -> AuditlaneError:
        """With the lock held; returns the error. A registry that is away is away for everybody."""
        self._failed["" if isinstance(error, RegistryUnavailable) else own] = self._clock() + RETRY_S, error
        return error

    def _learn(self) -> None:
        """Ask until nothing is wanted any more. What fails is given up, for whoever wants it later to try again."""
        while True:
            with self._changed:
                if not self._wanted:
                    self._learning = False
                    return
                own = next(iter(self._wanted))
            try:
                failed = None
                self._ask(own)
            except AuditlaneError as error:
                failed = error
            except BaseException:
                self._learning = False  # the next emitter starts another thread
                raise
            with self._changed:
                self._settle(own, failed)
                self._changed.notify_all()

    def _settle(self, own: str, failed: AuditlaneError | None) -> None:
        """With the lock held."""
        if failed is None or not isinstance(failed, RegistryUnavailable):
            self._failed.pop("", None)  # it answers
            self._failed.pop(own, None)
            self._wanted.pop(own, None)
        else:
            self._wanted.clear()
        if failed is not None:
            if self._known(own) is not None:
                log.warning("contracts are not refreshed, the known ones go on: %s", failed)
            self._fail(own, self._explained(failed))

    def _ask(self, own: str) -> None:
        if self._listed_at is None or self._clock() - self._listed_at > self._refresh_s:
            self._subjects = self._registry.subjects()
            self._listed_at = self._clock()
        subject = own if own in self._subjects else self._base
        known = self._encoders.get(subject)
        if known is None or self._clock() - known[0] > self._refresh_s:
            latest = self._registry.latest(subject)
            key = subject, latest.schema_id
            if key not in self._parsed:
                self._parsed[key] = Encoder.parse(subject, latest.schema_id, latest.schema)
            self._encoders[subject] = self._clock(), self._parsed[key]
        self._uses[own] = subject

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
