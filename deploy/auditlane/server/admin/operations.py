"""The operators' queries, for the JSON routes and the console. Each query has a timeout."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import anyio
from clickhouse_connect.driver.client import Client

from auditlane.gateway.refusal_counts import ContractRefusals, RefusalCount
from auditlane.observe import history, timeline
from auditlane.observe.canary.canary import Canary
from auditlane.observe.history import Columns
from auditlane.observe.timeline import OperationalEvent
from auditlane.operations import group_metrics
from auditlane.operations.dlq.followed import OpenLetters
from auditlane.operations.dlq.index import Selection
from auditlane.operations.lag import PartitionLag, document
from auditlane.runtime.errors import AuditlaneError, Unavailable
from auditlane.runtime.settings import Settings
from auditlane.server.admin import conflicts, models, parts, sources, tenants
from auditlane.server.admin.brokers import READ_S, Arrivals, Letters, Workers
from auditlane.server.admin.letter_desk import LetterDesk
from auditlane.server.admin.models import (
    DeadLetters,
    Health,
    Lag,
    OperationsHistory,
    PartHealth,
    Rate,
    RecentConflicts,
    Tenants,
    Timeline,
)
from auditlane.server.admin.sources import Source
from auditlane.server.admin.tenants import TenantOrder, TenantPage
from auditlane.server.auth.authentication import Authenticator
from auditlane.server.bounded_call import BoundedCall, CachedCall
from auditlane.server.probes import Probe
from auditlane.store import migrate
from auditlane.trail.sink import ServiceAuditSink

LAG_TIMEOUT_S: Final = 20.0  # for several consecutive requests to brokers
PART_TIMEOUT_S: Final = 8.0
FRESH_S: Final = 2.0
VERSION_FRESH_S: Final = 60.0
CHARTED: Final = (timedelta(days=1), timedelta(days=7))
CHART_POINTS: Final = 336  # steps of five minutes in a day, or half an hour in a week
CHART_FRESH_S: Final = 15.0  # the observer's check interval
NEWEST_EVENTS: Final = 12


def rfc3339(at: datetime, precision: str) -> str:
    """Format a time in UTC as RFC 3339 with `Z`."""
    return at.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _refusals(count: RefusalCount) -> models.ContractRefusals:
    at = count.changed_at and count.changed_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return models.ContractRefusals(
        tenant=count.tenant, refused=count.refused, changed_at=at, after_change=count.after_change
    )


class Operations:
    """The operators' queries. All methods are async.

    Each method raises its component's errors, and Unavailable on timeout.
    """

    def __init__(
        self,
        settings: Settings,
        store: Callable[[], Client],
        probe: Probe,
        authenticator: Authenticator,
        audit_sink: ServiceAuditSink,
        refusals: ContractRefusals | None = None,
        canary: Canary | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._authenticator = authenticator
        self._audit_sink = audit_sink
        self._refusals = refusals or ContractRefusals()
        self._canary = canary
        self._workers, self._letters, self._arrivals = Workers(settings), Letters(settings), Arrivals(settings)
        self._tenants = BoundedCall("ClickHouse", timeout_s=settings.query_timeout_s + 1)
        self._observed = BoundedCall("ClickHouse", timeout_s=settings.query_timeout_s + 1, threads=2)
        self._charted = {
            period: CachedCall(
                "ClickHouse",
                partial(self._measurements, period, CHART_POINTS),
                timeout_s=PART_TIMEOUT_S,
                fresh_s=CHART_FRESH_S,
            )
            for period in CHARTED
        }
        self._newest_events = CachedCall(
            "ClickHouse", partial(self._events, NEWEST_EVENTS), timeout_s=PART_TIMEOUT_S, fresh_s=CHART_FRESH_S
        )
        self._lag = CachedCall("Kafka", self._workers.lag, timeout_s=LAG_TIMEOUT_S, fresh_s=FRESH_S)
        self._rate = CachedCall("Kafka", self._arrivals.rate, timeout_s=LAG_TIMEOUT_S, fresh_s=FRESH_S)
        self._conflicts = CachedCall(
            "ClickHouse",
            partial(conflicts.read, store, settings.clickhouse_database),
            timeout_s=PART_TIMEOUT_S,
            fresh_s=conflicts.FRESH_S,
        )
        self._sources = CachedCall(
            "ClickHouse",
            partial(sources.read, store, settings.clickhouse_database),
            timeout_s=PART_TIMEOUT_S,
            fresh_s=sources.FRESH_S,
        )
        letters_s = 2 * READ_S + PART_TIMEOUT_S
        self._dead = BoundedCall("Kafka", timeout_s=letters_s)
        self.desk: Final = LetterDesk(settings, self._letters, self._dead)
        self._open = CachedCall(
            "Kafka", self._letters.open, timeout_s=letters_s, fresh_s=group_metrics.FRESH_S, beside=self._dead
        )
        self._version = CachedCall(
            "ClickHouse",
            lambda: migrate.version(store(), settings.clickhouse_database),
            timeout_s=PART_TIMEOUT_S,
            fresh_s=VERSION_FRESH_S,
        )
        self._parts = {
            "clickhouse": self._part("ClickHouse", partial(parts.store, probe)),
            "kafka": self._part("Kafka", partial(parts.kafka, settings)),
            "registry": self._part("The registry", partial(parts.registry, settings)),
            "workers": self._workers_health,
        }

    async def find_tenants(self, search: str, order: TenantOrder, page: int) -> TenantPage:
        """Return a page of the tenants whose name contains a text."""
        seconds, database = self._settings.query_timeout_s, self._settings.clickhouse_database
        find = partial(tenants.find, search=search, order=order, page=page, seconds=seconds)
        return await self._tenants.run(lambda: find(self._store, database))

    async def sources(self) -> list[Source]:
        """Return the clients and services that sent the events of the past day, at most sources.FRESH_S seconds old."""
        return await self._sources.get()

    async def tenants(self, *, after: str = "", prefix: str = "", limit: int = tenants.DEFAULT_LIMIT) -> Tenants:
        """Return tenants, ordered by name."""
        seconds, database = self._settings.query_timeout_s, self._settings.clickhouse_database
        read = partial(tenants.read, after=after, prefix=prefix, limit=limit, seconds=seconds)
        return await self._tenants.run(lambda: read(self._store, database))

    async def history(self, period: timedelta) -> OperationsHistory:
        """Return the measurements for the past period."""
        found = await self._observed.run(lambda: self._measurements(period, history.MOST_POINTS))
        at = [rfc3339(one, "seconds") for one in found.at]
        return OperationsHistory.model_validate({"step_s": found.step_s, "at": at, **found.values})

    async def charted(self, period: timedelta) -> Columns:
        """Return the measurements for one of the periods in CHARTED, in at most CHART_POINTS steps.

        The result is at most CHART_FRESH_S seconds old.
        """
        return await self._charted[period].get()

    async def newest_events(self) -> list[OperationalEvent]:
        """Return the NEWEST_EVENTS newest events about the installation's operation, at most CHART_FRESH_S seconds
        old.
        """
        return await self._newest_events.get()

    async def timeline(self, limit: int) -> Timeline:
        """Return the newest events about the installation's operation."""
        found = await self._observed.run(lambda: self._events(limit))
        return Timeline.model_validate(
            {"data": [asdict(one) | {"at": rfc3339(one.at, "microseconds")} for one in found]}
        )

    async def lag(self) -> Lag:
        """Return the workers' lag."""
        return Lag.model_validate(document(self._settings.consumer_group, await self._lag.get()))

    async def group_lag(self) -> list[PartitionLag]:
        """Return every partition's lag for the metrics. The reading may be older than that of `lag`."""
        return await self._lag.get(group_metrics.FRESH_S)

    async def open_letters(self) -> OpenLetters | None:
        """Count the open dead letters. Returns None until all have been read once."""
        return await self._open.get()

    async def store_version(self) -> int:
        """Return the number of the store's newest migration."""
        return await self._version.get()

    async def rate(self) -> Rate:
        """Return the event rate."""
        return await self._rate.get()

    async def dead_letters(self, selection: Selection, newest: int) -> DeadLetters:
        """Return the dead letters, with details of the `newest` letters."""
        return await self._dead.run(lambda: self._letters.read(selection, newest))

    async def health(self) -> Health:
        """Return every component's state. A component that times out is `away`."""
        found: dict[str, PartHealth] = {}

        async def check(name: str, part: Callable[[], Awaitable[PartHealth]]) -> None:
            try:
                found[name] = await part()
            except AuditlaneError as error:
                found[name] = PartHealth.model_validate({"name": name, "state": "away", "problem": str(error)})

        conflicting: list[RecentConflicts] = []

        async def count() -> None:
            with contextlib.suppress(AuditlaneError):  # the component `clickhouse` reports an unavailable store
                conflicting.append(await self._conflicts.get())

        async with anyio.create_task_group() as group:
            group.start_soon(count)
            for name, part in self._parts.items():
                group.start_soon(check, name, part)
        every = [found[name] for name in self._parts]
        every += [
            *parts.files(self._authenticator),
            parts.issuer(self._authenticator.oidc),
            parts.trail(self._audit_sink),
            parts.canary(self._canary),
        ]
        refusals = [_refusals(count) for count in self._refusals.top(datetime.now(UTC))]
        healthy = all(part.state in ("up", "off") for part in every)
        return Health(
            healthy=healthy, parts=every, refusals=refusals, conflicts=conflicting[0] if conflicting else None
        )

    def _measurements(self, period: timedelta, points: int) -> Columns:
        now, database = datetime.now(UTC), self._settings.clickhouse_database
        return history.history(self._store(), database, now - period, now=now, points=points)

    def _events(self, limit: int) -> list[OperationalEvent]:
        return timeline.timeline(self._store(), self._settings.clickhouse_database, limit=limit)

    async def _workers_health(self) -> PartHealth:
        if not self._settings.kafka_bootstrap:
            return PartHealth(name="workers", state="off")
        try:
            with anyio.fail_after(PART_TIMEOUT_S):
                return parts.workers(await self.lag())
        except TimeoutError as error:
            raise Unavailable("Kafka did not respond in time.") from error

    @staticmethod
    def _part(what: str, ask: Callable[[], PartHealth]) -> Callable[[], Awaitable[PartHealth]]:
        return CachedCall(what, ask, timeout_s=PART_TIMEOUT_S, fresh_s=FRESH_S).get

    def close(self) -> None:
        """Close the connections."""
        self._workers.close()
        self._letters.close()
        self._arrivals.close()
