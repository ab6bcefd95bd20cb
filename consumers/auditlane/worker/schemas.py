"""What the worker knows of the registry: a schema's contract by id, and which tenants may write with it.

A refusal is never made from old knowledge: before one, what decides it is asked again, so that a contract registered a
moment ago counts. Refusals are remembered briefly, to bound what a flood of bad messages can ask.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from auditlane.contract.structure import TenantContract
from auditlane.contract.tenants import base_subject, tenant_of_subject, tenant_subject
from auditlane.runtime.errors import InvalidInput, RegistryRefused, RegistryUnavailable, SchemaNotFound
from auditlane.worker.checks import unmatchable

REFUSAL_S: Final = 2.0
T = TypeVar("T")


class Registered(Protocol):
    @property
    def schema(self) -> str: ...


class Registry(Protocol):
    """The part of `contract.registry.RegistryClient` that is needed here."""

    def schema(self, schema_id: int) -> str: ...
    def subjects(self) -> frozenset[str]: ...
    def subjects_of(self, schema_id: int) -> frozenset[str]: ...
    def latest(self, subject: str) -> Registered: ...


@dataclass(frozen=True, slots=True)
class Known:
    """A schema by its id. `contract` is None where the schema describes no event; `problem` says why."""

    schema_id: int
    contract: TenantContract | None
    problem: str = ""


class SchemaBook:
    """Answers from what was learnt, asks the registry for the rest. Thread-safe.

    `refresh_s` is how old an admission may be; `clock` counts seconds. Every method raises RegistryUnavailable when the
    registry is away, refuses our credentials or is not ours: none of that says anything about a message.
    """

    def __init__(
        self, registry: Registry, *, topic: str, refresh_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._topic = topic
        self._refresh_s = refresh_s
        self._clock = clock
        self._lock = threading.RLock()
        self._known: dict[int, Known] = {}
        self._unknown: dict[int, float] = {}  # schema id -> when the registry did not know it
        self._with_contract: tuple[float, frozenset[str]] | None = None  # tenants that have a subject of their own
        self._subjects: dict[int, tuple[float, frozenset[str]]] = {}  # schema id -> its subjects
        self._exclusive: dict[str, tuple[float, bool]] = {}
        self._refused: dict[tuple[int, str], float] = {}

    def known(self, schema_id: int) -> Known | None:
        """The schema of an id, None when the registry does not know it."""
        with self._lock:
            if schema_id in self._known:
                return self._known[schema_id]
            now = self._clock()
            if now - self._unknown.get(schema_id, -REFUSAL_S) < REFUSAL_S:
                return None
            try:
                text = _asked(lambda: self._registry.schema(schema_id))
            except SchemaNotFound:
                self._tenants(since=now - self._refresh_s)  # an empty registry is not ours: raises
                _forget(self._unknown, now - REFUSAL_S)
                self._unknown[schema_id] = now
                return None
            try:
                contract = TenantContract.parse(text)
                problem = unmatchable(contract.fields)
                known = Known(schema_id, None if problem else contract, problem)
            except InvalidInput as error:
                known = Known(schema_id, None, error.message)
            self._known[schema_id] = known
            return known

    def admissible(self, schema_id: int, tenants: Collection[str]) -> frozenset[str]:
        """Those of the tenants that may write with a schema that is known.

        A tenant may when the id is registered under its own subject, or, unless its contract is exclusive, under the
        base subject.
        """
        with self._lock:
            now = self._clock()
            admitted = self._admitted(schema_id, tenants, since=now - self._refresh_s)
            doubted = {
                tenant
                for tenant in tenants
                if tenant not in admitted and now - self._refused.get((schema_id, tenant), -REFUSAL_S) >= REFUSAL_S
            }
            if doubted:
                again = self._admitted(schema_id, doubted, since=now)
                _forget(self._refused, now - REFUSAL_S)
                self._refused |= dict.fromkeys(((schema_id, tenant) for tenant in doubted - again), now)
                admitted |= again
            return frozenset(admitted)

    def _admitted(self, schema_id: int, tenants: Collection[str], *, since: float) -> set[str]:
        subjects = self._subjects_of(schema_id, since=since)
        admitted = {tenant for tenant in tenants if tenant_subject(self._topic, tenant) in subjects}
        if base_subject(self._topic) in subjects:
            with_contract = self._tenants(since=since)
            admitted |= {
                tenant
                for tenant in tenants
                if tenant not in with_contract or not self._is_exclusive(tenant, since=since)
            }
        return admitted

    def _tenants(self, *, since: float) -> frozenset[str]:
        if self._with_contract is None or self._with_contract[0] <= since:
            now = self._clock()
            subjects = _asked(self._registry.subjects)
            if base_subject(self._topic) not in subjects:
                raise RegistryUnavailable(
                    f"The registry has no subject {base_subject(self._topic)}: it is empty, or not ours.",
                    fix="Check AUDITLANE_REGISTRY_URL, or run `auditlane init`.",
                )
            tenants = (tenant_of_subject(self._topic, subject) for subject in subjects)
            self._with_contract = now, frozenset(tenant for tenant in tenants if tenant is not None)
        return self._with_contract[1]

    def _subjects_of(self, schema_id: int, *, since: float) -> frozenset[str]:
        seen = self._subjects.get(schema_id)
        if seen is None or seen[0] <= since:
            self._tenants(since=since)  # an empty registry is not ours: raises
            now = self._clock()
            try:
                subjects = _asked(lambda: self._registry.subjects_of(schema_id))
            except SchemaNotFound:  # deleted since
                subjects = frozenset()
            seen = self._subjects[schema_id] = now, subjects
        return seen[1]

    def _is_exclusive(self, tenant: str, *, since: float) -> bool:
        seen = self._exclusive.get(tenant)
        if seen is None or seen[0] <= since:
            now = self._clock()
            seen = self._exclusive[tenant] = now, self._ask_exclusive(tenant)
        return seen[1]

    def _ask_exclusive(self, tenant: str) -> bool:
        try:
            latest = _asked(lambda: self._registry.latest(tenant_subject(self._topic, tenant)))
        except SchemaNotFound:  # deleted since the subjects were listed
            return False
        try:
            return TenantContract.parse(latest.schema).exclusive
        except InvalidInput:  # no contract of an event, so nothing to hold the tenant to
            return False


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except SchemaNotFound:
        raise
    except RegistryRefused as error:
        raise RegistryUnavailable(error.message, fix=error.fix) from error


def _forget(times: dict[Any, float], before: float) -> None:
    for key in [key for key, at in times.items() if at < before]:
        del times[key]
