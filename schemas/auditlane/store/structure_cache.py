"""A cache of each tenant's data structure, refreshed rarely, for many tenants in one query."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client

from auditlane.runtime.errors import AuditlaneError
from auditlane.store.presentation import ENVIRONMENT, FieldView, NamedAction, Revision, load_many, overlay, tenant_scope

REFRESH_S: Final = 30.0
RETRY_S: Final = 5.0  # delay before a retry after a failed query
MOST_TENANTS: Final = 20_000
_AT_ONCE: Final = 500  # maximum number of scopes in one query


@dataclass(frozen=True, slots=True)
class Structure:
    """A tenant's effective data structure. `fields` are in display order, without removed fields. `actions` are those
    that the environment has named.
    """

    enabled: bool
    fields: tuple[FieldView, ...]
    environment_revision: int = 0
    tenant_revision: int = 0
    actions: tuple[NamedAction, ...] = ()

    @classmethod
    def of(cls, environment: Revision, tenant: Revision) -> Structure:
        """Overlay the environment's revision with the tenant's."""
        enabled, fields = overlay(environment, tenant)
        shown = tuple(field for field in fields if not field.hidden)
        return cls(enabled, shown, environment.revision, tenant.revision, environment.actions)

    def field(self, name: str) -> FieldView | None:
        """Return the field with this name, such as `action` or `order_number`, or None if it does not exist or was
        removed.
        """
        return next((field for field in self.fields if field.name == name), None)

    def custom(self) -> tuple[FieldView, ...]:
        """Return the custom fields."""
        return tuple(field for field in self.fields if field.custom)

    def displayed(self) -> tuple[FieldView, ...]:
        """Return the table's columns."""
        return tuple(field for field in self.fields if field.show_in_table)

    def detailed(self) -> tuple[FieldView, ...]:
        """Return the fields in an event's details."""
        return tuple(field for field in self.fields if field.show_in_more_info)

    def downloadable(self) -> tuple[FieldView, ...]:
        """Return an export's columns."""
        return tuple(field for field in self.fields if field.downloadable)

    def filterable(self) -> tuple[FieldView, ...]:
        """Return the fields that readers may filter by."""
        return tuple(field for field in self.fields if field.filterable)

    def sortable(self) -> tuple[FieldView, ...]:
        """Return the fields that readers may sort by."""
        return tuple(field for field in self.fields if field.sortable)


DEFAULT: Final = Structure.of(Revision(scope=ENVIRONMENT), Revision(scope=tenant_scope("")))


@dataclass(slots=True)
class _Entry:
    own: Revision
    read_at: float
    used_at: float
    structure: Structure


class StructureCache:
    """Caches tenants' data structures. Thread-safe.

    `of(tenant)` returns a structure that is at most `refresh_s` old while ClickHouse responds, and otherwise the last
    known structure. One thread queries at a time, for all tenants requested recently. The other threads use a cached
    structure, or wait if none is cached or it was invalidated. `connect` returns a client that may be shared. `clock`
    counts seconds.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        database: str,
        *,
        refresh_s: float = REFRESH_S,
        most: int = MOST_TENANTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._database = database
        self._refresh_s = refresh_s
        self._most = most
        self._clock = clock
        self._changed = threading.Condition()
        self._environment = Revision(scope=ENVIRONMENT)
        self._inherited = DEFAULT
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # by tenant, most recently used last
        self._wanted: set[str] = set()
        self._reading = False
        self._invalidations = 0  # a counter: if it grew during a query, the query's result may be outdated
        self._failed: tuple[float, AuditlaneError] | None = None  # when to retry, and the error

    def of(self, tenant: str) -> Structure:
        """Return the tenant's structure. Raises StoreUnavailable or StoreRefused only if it has never been read."""
        while True:
            with self._changed:
                now = self._clock()
                entry = self._entry(tenant, now)
                if entry is not None and now - entry.read_at <= self._refresh_s:
                    return entry.structure
                if self._failed is not None and now < self._failed[0]:
                    if entry is None:
                        raise self._failed[1]
                    return entry.structure
                self._wanted.add(tenant)
                if self._reading:
                    if entry is not None and entry.read_at != -math.inf:
                        return entry.structure
                    self._changed.wait(1.0)
                    continue
                self._reading = True
                wanted = self._due(now)
            self._read(wanted)

    def forget(self, tenant: str | None) -> None:
        """Invalidate the cached structure of `tenant`, or of every tenant if None, after a change to the
        environment.
        """
        with self._changed:
            self._invalidations += 1
            for cached_tenant in self._entries if tenant is None else [tenant]:
                if cached_tenant in self._entries:
                    self._entries[cached_tenant].read_at = -math.inf

    def _entry(self, tenant: str, now: float) -> _Entry | None:
        """Return the tenant's entry and mark it as used. The caller holds the lock."""
        entry = self._entries.get(tenant)
        if entry is not None:
            entry.used_at = now
            self._entries.move_to_end(tenant)
        return entry

    def _due(self, now: float) -> list[str]:
        """Return the tenants to query. The caller holds the lock.

        These are the requested tenants, and others used recently, since one query serves them all.
        """
        due, self._wanted = self._wanted, set()
        recently = now - self._refresh_s
        for tenant, entry in reversed(self._entries.items()):
            if entry.used_at < recently:
                break
            if now - entry.read_at > self._refresh_s / 2:
                due.add(tenant)
        return sorted(due)

    def _read(self, tenants: list[str]) -> None:
        queried_at, invalidations = self._clock(), self._invalidations
        found: dict[str, Revision] = {}
        failed: AuditlaneError | None = None
        try:
            for part in _parts(tenants):
                found |= load_many(self._connect(), self._database, [ENVIRONMENT, *map(tenant_scope, part)])
        except AuditlaneError as error:
            failed = error
        finally:
            with self._changed:
                self._reading = False
                self._failed = None if failed is None else (self._clock() + RETRY_S, failed)
                self._keep(found, tenants, queried_at if invalidations == self._invalidations else -math.inf)
                self._changed.notify_all()

    def _keep(self, found: dict[str, Revision], tenants: list[str], read_at: float) -> None:
        """Store a query's results, which are partial if it failed halfway. The caller holds the lock."""
        if ENVIRONMENT in found and found[ENVIRONMENT].revision != self._environment.revision:
            self._environment = found[ENVIRONMENT]
            self._inherited = Structure.of(self._environment, Revision(scope=""))
            for entry in self._entries.values():
                entry.structure = self._structure(entry.own)
        for tenant in tenants:
            own = found.get(tenant_scope(tenant))
            if own is None:
                continue
            if known := self._entries.get(tenant):
                known.own, known.read_at, known.structure = own, read_at, self._structure(own)
            else:
                self._entries[tenant] = _Entry(own, read_at, self._clock(), self._structure(own))
        while len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def _structure(self, own: Revision) -> Structure:
        """Return the effective structure. Tenants without a saved revision share one object."""
        return Structure.of(self._environment, own) if own.revision else self._inherited


def _parts(tenants: list[str]) -> Iterable[list[str]]:
    return (tenants[start : start + _AT_ONCE] for start in range(0, len(tenants), _AT_ONCE))
