"""Caches the registry's contracts by schema id, the tenants that may write with each schema, and first defaults.

A message is never rejected because of cached data alone. The registry is queried again first, so that a contract that
was registered a moment ago is found. Negative results are cached briefly, to limit the number of requests that a flood
of bad messages can cause.

While the registry is unavailable, validation waits for it. If the registry fails for only one schema, the partition
must not stop, so that schema counts as unknown (`registry_patience`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

from auditlane.contract.registry_reader import Registry, Version, Versions
from auditlane.contract.tenant_contract import Field, TenantContract
from auditlane.contract.tenants import base_subject, tenant_of_subject, tenant_subject
from auditlane.runtime import log
from auditlane.runtime.errors import InvalidInput, RegistryRefused, RegistryUnavailable, SchemaNotFound
from auditlane.runtime.lru_cache import LruCache
from auditlane.worker.validation.checks import unmatchable
from auditlane.worker.validation.registry_patience import Patience

REFUSAL_S: Final = 2.0
KEPT_CHARACTERS: Final = 16 << 20  # maximum number of characters of cached schema text: some 5,000 base schemas
LARGEST_ID: Final = (1 << 31) - 1  # registries use signed 32-bit integers, although the frame has room for more
MOST_KEPT: Final = 10_000  # maximum number of cached responses of each kind; the oldest is dropped first
K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CachedSchema:
    """A schema, identified by its id. If it does not describe an event, `contract` is None and `problem` is the
    reason.
    """

    schema_id: int
    contract: TenantContract | None
    problem: str = ""
    size: int = 0  # length of the schema's text in characters


@dataclass(frozen=True, slots=True)
class FirstDefaults:
    """The first default of each field in the versions of a subject up to `read`, by name.

    A first default means "not set". An event that omits a field equals an event with the default, since events may be
    older than the field. If later defaults counted too, two events with different values could both equal a third event
    without a value. An event whose value is a later default therefore counts as setting the field.
    """

    read: int = 0
    defaults: dict[str, Any] = field(default_factory=dict)

    def through(self, registry: Versions[Version], subject: str, names: Collection[str]) -> FirstDefaults:
        """Read further versions until all names are found or no versions are left. Raises the errors of the
        registry.
        """
        read, defaults = self.read, dict(self.defaults)
        numbers = iter(registry.versions(subject) if not defaults.keys() >= set(names) else ())
        while not defaults.keys() >= set(names) and (number := next(numbers, None)) is not None:
            if number > read:
                for field_ in _own(registry, subject, number):
                    defaults.setdefault(field_.name, field_.default)
                read = number
        return FirstDefaults(read, defaults)


class SchemaCache:
    """A cache of the registry. Thread-safe. The lock is not held during requests to the registry.

    `refresh_s` is the maximum age of a positive result, and `clock` counts seconds. Every method raises
    RegistryUnavailable if the registry is unreachable, rejects the credentials or lacks the base subject. A message
    cannot cause any of these.
    """

    def __init__(
        self, registry: Registry, *, topic: str, refresh_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._topic = topic
        self._refresh_s = refresh_s
        self._clock = clock
        self._lock = threading.Lock()
        self._patience = Patience()
        self._known: LruCache[int, CachedSchema] = LruCache(KEPT_CHARACTERS, weight=lambda known: known.size)
        self._unknown: dict[int, float] = {}  # schema id -> when the registry last lacked it
        self._ids: dict[UUID, tuple[float, int]] = {}  # schema's GUID -> its id, which may change
        self._unknown_guids: dict[UUID, float] = {}
        self._with_contract: tuple[float, frozenset[str]] | None = None  # tenants with their own subject
        self._subjects: dict[int, tuple[float, frozenset[str]]] = {}  # schema id -> its subjects
        self._exclusive: dict[str, tuple[float, bool]] = {}
        self._refused: dict[tuple[int, str], float] = {}
        self._first_defaults: dict[str, FirstDefaults] = {}  # subject -> its fields' first defaults
        self._standing: dict[tuple[int, str], frozenset[str]] = {}

    def learnt(self, schema_id: int) -> bool:
        """Return whether the schema with this id is cached."""
        return schema_id in self._known

    def known(self, schema_id: int, tenants: Collection[str] = ()) -> CachedSchema | None:
        """Return the schema with this id, or None if the registry does not have it. `tenants` are the tenants whose
        messages use it.
        """
        known = self._known.get(schema_id)
        now = self._clock()
        if known is not None or schema_id > LARGEST_ID or self._refused_lately(self._unknown, schema_id, now):
            return known
        try:
            text = self._ask(("schema", schema_id), lambda: self._registry.schema(schema_id), tenants, now)
        except SchemaNotFound:
            self._tenants(since=now - self._refresh_s)  # raises if the registry lacks the base subject
            text = None
        if text is None:
            self._refuse(self._unknown, [schema_id], now)
            return None
        known = _read(schema_id, text)
        self._known.put(schema_id, known)
        return known

    def id_of(self, guid: UUID, tenants: Collection[str] = ()) -> int | None:
        """Return the id of the schema with this GUID, or None if the registry does not have it. `tenants` are the
        tenants whose messages use it.
        """
        now = self._clock()
        seen = self._ids.get(guid)
        if seen is not None and seen[0] > now - self._refresh_s:
            return seen[1]
        if self._refused_lately(self._unknown_guids, guid, now):
            return None
        try:
            schema_id = self._ask(("guid", guid), lambda: self._registry.id_of(guid), tenants, now)
        except SchemaNotFound:
            self._tenants(since=now - self._refresh_s)  # raises if the registry lacks the base subject
            schema_id = None
        if schema_id is None:
            self._refuse(self._unknown_guids, [guid], now)
            return None
        self._keep(self._ids, guid, (now, schema_id))
        return schema_id

    def tenants_allowed(self, schema_id: int, tenants: Collection[str]) -> frozenset[str]:
        """Return the tenants that may write with a known schema.

        The id must be registered under the tenant's own subject or, unless its contract is exclusive, under the base
        subject.
        """
        now = self._clock()
        admitted = self._admitted(schema_id, tenants, since=now - self._refresh_s)
        doubted = {
            tenant
            for tenant in tenants
            if tenant not in admitted and not self._refused_lately(self._refused, (schema_id, tenant), now)
        }
        if doubted:
            again = self._admitted(schema_id, doubted, since=now)
            self._refuse(self._refused, [(schema_id, tenant) for tenant in doubted - again], now)
            admitted |= again
        return frozenset(admitted)

    def is_base(self, schema_id: int) -> bool:
        """Return whether a known schema is a version of the base event."""
        subjects = self._subjects_of(schema_id, (), since=self._clock() - self._refresh_s)
        return base_subject(self._topic) in subjects

    def standing(self, schema_id: int, tenant: str, fields: Collection[Field]) -> frozenset[str]:
        """Return the custom fields whose default means "not set" in the tenant's events (see `FirstDefaults`).

        Returns an empty set if the registry does not list the schema's subjects.
        """
        known = self._standing.get((schema_id, tenant))
        if known is not None:
            return known
        chains: list[FirstDefaults] = []
        names = [one.name for one in fields if one.default is not None]
        for subject in (tenant_subject(self._topic, tenant), base_subject(self._topic)) if names else ():
            before, now = self._first_defaults.get(subject, FirstDefaults()), self._clock()
            try:
                read = self._ask(
                    ("defaults", subject), partial(before.through, self._registry, subject, names), [tenant], now
                )
            except SchemaNotFound:
                continue
            if read is None:
                return frozenset()
            self._keep(self._first_defaults, subject, read)
            chains.append(read)
        found = standing(fields, chains)
        self._keep(self._standing, (schema_id, tenant), found)
        return found

    def _admitted(self, schema_id: int, tenants: Collection[str], *, since: float) -> set[str]:
        subjects = self._subjects_of(schema_id, tenants, since=since)
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
        seen = self._with_contract
        if seen is None or seen[0] <= since:
            now = self._clock()
            subjects = _asked(self._registry.subjects)
            if base_subject(self._topic) not in subjects:
                raise RegistryUnavailable(
                    f"The registry has no subject {base_subject(self._topic)}: it is empty, or another system uses it.",
                    fix="Check AUDITLANE_REGISTRY_URL, or run `auditlane init`.",
                )
            tenants = (tenant_of_subject(self._topic, subject) for subject in subjects)
            seen = self._with_contract = now, frozenset(tenant for tenant in tenants if tenant is not None)
        return seen[1]

    def _subjects_of(self, schema_id: int, tenants: Collection[str], *, since: float) -> frozenset[str]:
        seen = self._subjects.get(schema_id)
        if seen is None or seen[0] <= since:
            self._tenants(since=since)  # raises if the registry lacks the base subject
            now = self._clock()
            try:
                subjects = self._ask(
                    ("subjects", schema_id), lambda: self._registry.subjects_of(schema_id), tenants, now
                )
            except SchemaNotFound:  # deleted in the meantime
                subjects = None
            seen = now, subjects or frozenset()
            self._keep(self._subjects, schema_id, seen)
        return seen[1]

    def _is_exclusive(self, tenant: str, *, since: float) -> bool:
        seen = self._exclusive.get(tenant)
        if seen is None or seen[0] <= since:
            now = self._clock()
            seen = now, self._ask_exclusive(tenant, now)
            self._keep(self._exclusive, tenant, seen)
        return seen[1]

    def _ask_exclusive(self, tenant: str, now: float) -> bool:
        subject = tenant_subject(self._topic, tenant)
        try:
            latest = self._ask(("latest", subject), lambda: self._registry.latest(subject), [tenant], now)
        except SchemaNotFound:  # deleted since the subjects were listed
            return False
        # Without a readable contract, there is nothing to enforce.
        contract = None if latest is None else _read(0, latest.schema).contract
        return contract is not None and contract.exclusive

    def _ask(
        self, about: tuple[str, object], question: Callable[[], T], tenants: Collection[str], now: float
    ) -> T | None:
        """Send a request whose response is needed for messages of these tenants.

        Returns None if the registry responds to other requests but not to this one. Raises SchemaNotFound and
        RegistryUnavailable.
        """
        try:
            answer = question()
        except SchemaNotFound:
            raise
        except Exception as error:
            self._tenants(since=self._clock())  # raises if the whole registry is unavailable
            if self._patience.waits(about, tenants, error, now):
                raise RegistryUnavailable(str(error)) from error
            log.get("worker").warning("registry.unanswered", about=f"{about[0]} {about[1]}", error=repr(error)[:500])
            return None
        self._patience.answered(about)
        return answer

    def _refused_lately(self, refusals: Mapping[K, float], key: K, now: float) -> bool:
        return now - refusals.get(key, -REFUSAL_S) < REFUSAL_S

    def _refuse(self, refusals: dict[K, float], keys: Iterable[K], now: float) -> None:
        with self._lock:
            for key in [key for key, at in refusals.items() if at < now - REFUSAL_S]:
                del refusals[key]
            refusals |= dict.fromkeys(keys, now)

    def _keep(self, answers: dict[K, T], key: K, answer: T) -> None:
        with self._lock:
            answers.pop(key, None)
            answers[key] = answer
            while len(answers) > MOST_KEPT:
                del answers[next(iter(answers))]


def _read(schema_id: int, text: str) -> CachedSchema:
    """Parse the text of a schema, even if it is not valid."""
    try:
        contract = TenantContract.parse(text)
        problem = unmatchable(contract.fields)
    except InvalidInput as error:
        return CachedSchema(schema_id, None, error.message, len(text))
    except Exception as error:  # for example nested too deeply
        return CachedSchema(schema_id, None, f"The schema cannot be read ({type(error).__name__}).", len(text))
    return CachedSchema(schema_id, None if problem else contract, problem, len(text))


def _asked(question: Callable[[], T]) -> T:
    try:
        return question()
    except RegistryUnavailable:
        raise
    except RegistryRefused as error:
        raise RegistryUnavailable(error.message, fix=error.fix) from error
    except Exception as error:
        raise RegistryUnavailable(f"Cannot read the registry's response: {error!r}.") from error


def standing(fields: Collection[Field], chains: Collection[FirstDefaults]) -> frozenset[str]:
    """Return the fields whose default is the first default in every subject that has the field. Pure."""
    return frozenset(
        one.name
        for one in fields
        if one.default is not None
        and {repr(chain.defaults[one.name]) for chain in chains if one.name in chain.defaults} == {repr(one.default)}
    )


def _own(registry: Versions[Version], subject: str, number: int) -> tuple[Field, ...]:
    try:
        return TenantContract.parse(registry.version(subject, number).schema).own
    except (InvalidInput, SchemaNotFound):  # not an event's schema, or deleted in the meantime
        return ()
