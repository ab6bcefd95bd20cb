"""What the worker knows of the registry: a schema's contract by id, and which tenants may write with it.

A refusal is never made from old knowledge: before one, what decides it is asked again, so that a contract registered a
moment ago counts. Refusals are remembered briefly, to bound what a flood of bad messages can ask.

A registry that is away says nothing about a message, so judging waits for it. One that answers, but not about one
schema, must not stop a partition: that schema counts as unknown (`registry_patience`).
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
KEPT_CHARACTERS: Final = 16 << 20  # of the schemas whose contracts are kept; some 5,000 of the base event's size
LARGEST_ID: Final = (1 << 31) - 1  # registries count ids in a signed 32-bit integer; the frame has room for more
MOST_KEPT: Final = 10_000  # answers of each kind; the oldest goes first
K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CachedSchema:
    """A schema by its id. `contract` is None where the schema describes no event; `problem` says why."""

    schema_id: int
    contract: TenantContract | None
    problem: str = ""
    size: int = 0  # characters of its text


@dataclass(frozen=True, slots=True)
class FirstDefaults:
    """The first defaults of a subject's fields, by name, in its versions up to `read`."""

    read: int = 0
    defaults: dict[str, Any] = field(default_factory=dict)

    def through(self, registry: Versions[Version], subject: str, names: Collection[str]) -> FirstDefaults:
        """Read on until all the names are found, or there are no more versions. Raises what the registry raises."""
        read, defaults = self.read, dict(self.defaults)
        numbers = iter(registry.versions(subject) if not defaults.keys() >= set(names) else ())
        while not defaults.keys() >= set(names) and (number := next(numbers, None)) is not None:
            if number > read:
                for one in _own(registry, subject, number):
                    defaults.setdefault(one.name, one.default)
                read = number
        return FirstDefaults(read, defaults)


class SchemaCache:
    """Answers from what was learnt, asks the registry for the rest. Thread-safe; no lock is held while it asks.

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
        self._lock = threading.Lock()
        self._patience = Patience()
        self._known: LruCache[int, CachedSchema] = LruCache(KEPT_CHARACTERS, weight=lambda known: known.size)
        self._unknown: dict[int, float] = {}  # schema id -> when the registry did not know it
        self._ids: dict[UUID, tuple[float, int]] = {}  # GUID of a schema -> its id, which a registration may change
        self._unknown_guids: dict[UUID, float] = {}
        self._with_contract: tuple[float, frozenset[str]] | None = None  # tenants that have a subject of their own
        self._subjects: dict[int, tuple[float, frozenset[str]]] = {}  # schema id -> its subjects
        self._exclusive: dict[str, tuple[float, bool]] = {}
        self._refused: dict[tuple[int, str], float] = {}
        self._first_defaults: dict[str, FirstDefaults] = {}  # subject -> the first defaults of its fields
        self._standing: dict[tuple[int, str], frozenset[str]] = {}

    def learnt(self, schema_id: int) -> bool:
        """Whether `known` has a schema for this id without asking."""
        return schema_id in self._known

    def known(self, schema_id: int, tenants: Collection[str] = ()) -> CachedSchema | None:
        """The schema of an id that these tenants' messages name, None when the registry does not know it."""
        known = self._known.get(schema_id)
        now = self._clock()
        if known is not None or schema_id > LARGEST_ID or self._refused_lately(self._unknown, schema_id, now):
            return known
        try:
            text = self._ask(("schema", schema_id), lambda: self._registry.schema(schema_id), tenants, now)
        except SchemaNotFound:
            self._tenants(since=now - self._refresh_s)  # an empty registry is not ours: raises
            text = None
        if text is None:
            self._refuse(self._unknown, [schema_id], now)
            return None
        known = _read(schema_id, text)
        self._known.put(schema_id, known)
        return known

    def id_of(self, guid: UUID, tenants: Collection[str] = ()) -> int | None:
        """The id of the schema with this GUID, which these tenants' messages name; None when the registry does not know
        it."""
        now = self._clock()
        seen = self._ids.get(guid)
        if seen is not None and seen[0] > now - self._refresh_s:
            return seen[1]
        if self._refused_lately(self._unknown_guids, guid, now):
            return None
        try:
            schema_id = self._ask(("guid", guid), lambda: self._registry.id_of(guid), tenants, now)
        except SchemaNotFound:
            self._tenants(since=now - self._refresh_s)  # an empty registry is not ours: raises
            schema_id = None
        if schema_id is None:
            self._refuse(self._unknown_guids, [guid], now)
            return None
        self._keep(self._ids, guid, (now, schema_id))
        return schema_id

    def tenants_allowed(self, schema_id: int, tenants: Collection[str]) -> frozenset[str]:
        """Those of the tenants that may write with a schema that is known.

        A tenant may when the id is registered under its own subject, or, unless its contract is exclusive, under the
        base subject.
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
        """Whether a schema that is known is the base event's, of whatever version."""
        subjects = self._subjects_of(schema_id, (), since=self._clock() - self._refresh_s)
        return base_subject(self._topic) in subjects

    def standing(self, schema_id: int, tenant: str, fields: Collection[Field]) -> frozenset[str]:
        """Those of a schema's own fields whose default stands for "not set" in the tenant's events (`unset_defaults`);
        none where the registry does not answer about it."""
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
                    f"The registry has no subject {base_subject(self._topic)}: it is empty, or not ours.",
                    fix="Check AUDITLANE_REGISTRY_URL, or run `auditlane init`.",
                )
            tenants = (tenant_of_subject(self._topic, subject) for subject in subjects)
            seen = self._with_contract = now, frozenset(tenant for tenant in tenants if tenant is not None)
        return seen[1]

    def _subjects_of(self, schema_id: int, tenants: Collection[str], *, since: float) -> frozenset[str]:
        seen = self._subjects.get(schema_id)
        if seen is None or seen[0] <= since:
            self._tenants(since=since)  # an empty registry is not ours: raises
            now = self._clock()
            try:
                subjects = self._ask(
                    ("subjects", schema_id), lambda: self._registry.subjects_of(schema_id), tenants, now
                )
            except SchemaNotFound:  # deleted since
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
        # Of no contract of an event, or none that can be had, there is nothing to hold the tenant to.
        contract = None if latest is None else _read(0, latest.schema).contract
        return contract is not None and contract.exclusive

    def _ask(
        self, about: tuple[str, object], question: Callable[[], T], tenants: Collection[str], now: float
    ) -> T | None:
        """The answer to what these tenants' messages lead to; None where the registry answers, but not this. Raises
        SchemaNotFound and RegistryUnavailable."""
        try:
            answer = question()
        except SchemaNotFound:
            raise
        except Exception as error:
            self._tenants(since=self._clock())  # raises where the registry is away, for this question too
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
    """The schema of a text, whatever is in it."""
    try:
        contract = TenantContract.parse(text)
        problem = unmatchable(contract.fields)
    except InvalidInput as error:
        return CachedSchema(schema_id, None, error.message, len(text))
    except Exception as error:  # such as one nested too deeply to be read
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
        raise RegistryUnavailable(f"What the registry answers cannot be read: {error!r}.") from error


def standing(fields: Collection[Field], chains: Collection[FirstDefaults]) -> frozenset[str]:
    """The fields whose default is the first one in each of the subjects that have the field. Pure."""
    return frozenset(
        one.name
        for one in fields
        if one.default is not None
        and {repr(chain.defaults[one.name]) for chain in chains if one.name in chain.defaults} == {repr(one.default)}
    )


def _own(registry: Versions[Version], subject: str, number: int) -> tuple[Field, ...]:
    try:
        return TenantContract.parse(registry.version(subject, number).schema).own
    except (InvalidInput, SchemaNotFound):  # no event is written with it; deleted meanwhile
        return ()
