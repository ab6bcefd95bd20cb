"""What an operator may ask, each answer in bounded time; for the JSON routes and the console alike."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

import anyio
from clickhouse_connect.driver.client import Client

from auditlane.gateway.refusal_counts import ContractRefusals, RefusalCount
from auditlane.operations.dlq.index import Selection
from auditlane.runtime.errors import AuditlaneError, Unavailable
from auditlane.runtime.settings import Settings
from auditlane.server.admin import conflicts, models, parts, tenants
from auditlane.server.admin.brokers import READ_S, Arrivals, Letters, Workers
from auditlane.server.admin.cached_probe import CachedProbe
from auditlane.server.admin.models import DeadLetters, Health, Lag, PartHealth, Rate, RecentConflicts, Tenants
from auditlane.server.audit.sink import ServiceAuditSink
from auditlane.server.auth.authentication import Authenticator
from auditlane.server.bounded_call import BoundedCall
from auditlane.server.probes import Probe

LAG_TIMEOUT_S: Final = 20.0  # of the brokers' answers, one after the other
PART_TIMEOUT_S: Final = 8.0
FRESH_S: Final = 2.0


def _refused(one: RefusalCount) -> models.ContractRefusals:
    at = one.changed_at and one.changed_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return models.ContractRefusals(tenant=one.tenant, refused=one.refused, changed_at=at, after_change=one.after_change)


class Operations:
    """Async; every method raises what its part raises, and Unavailable when that takes too long."""

    def __init__(
        self,
        settings: Settings,
        store: Callable[[], Client],
        probe: Probe,
        authenticator: Authenticator,
        own: ServiceAuditSink,
        refusals: ContractRefusals | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._authenticator = authenticator
        self._own = own
        self._refusals = refusals or ContractRefusals()
        self._workers, self._letters, self._arrivals = Workers(settings), Letters(settings), Arrivals(settings)
        self._tenants = BoundedCall("ClickHouse", timeout_s=settings.query_timeout_s + 1)
        self._lag = CachedProbe("Kafka", self._workers.lag, timeout_s=LAG_TIMEOUT_S, fresh_s=FRESH_S)
        self._rate = CachedProbe("Kafka", self._arrivals.rate, timeout_s=LAG_TIMEOUT_S, fresh_s=FRESH_S)
        self._conflicts = CachedProbe(
            "ClickHouse",
            partial(conflicts.read, store, settings.clickhouse_database),
            timeout_s=PART_TIMEOUT_S,
            fresh_s=conflicts.FRESH_S,
        )
        self._dead = BoundedCall("Kafka", timeout_s=2 * READ_S + PART_TIMEOUT_S)
        self._parts = {
            "clickhouse": self._part("ClickHouse", partial(parts.store, probe)),
            "kafka": self._part("Kafka", partial(parts.kafka, settings)),
            "registry": self._part("The registry", partial(parts.registry, settings)),
            "workers": self._working,
        }

    async def tenants(self, *, after: str = "", prefix: str = "", limit: int = tenants.USUAL) -> Tenants:
        """Tenants by name."""
        seconds, database = self._settings.query_timeout_s, self._settings.clickhouse_database
        read = partial(tenants.read, after=after, prefix=prefix, limit=limit, seconds=seconds)
        return await self._tenants.run(lambda: read(self._store, database))

    async def lag(self) -> Lag:
        """How far the workers are behind."""
        return await self._lag.get()

    async def rate(self) -> Rate:
        """How fast events arrive."""
        return await self._rate.get()

    async def dead_letters(self, selection: Selection, newest: int) -> DeadLetters:
        """Open dead letters."""
        return await self._dead.run(lambda: self._letters.look(selection, newest))

    async def health(self) -> Health:
        """Every part; one that does not answer in time is away."""
        found: dict[str, PartHealth] = {}

        async def ask(name: str, part: Callable[[], Awaitable[PartHealth]]) -> None:
            try:
                found[name] = await part()
            except AuditlaneError as error:
                found[name] = PartHealth.model_validate({"name": name, "state": "away", "problem": str(error)})

        claimed: list[RecentConflicts] = []

        async def count() -> None:
            with contextlib.suppress(AuditlaneError):  # of a store that is away its part tells
                claimed.append(await self._conflicts.get())

        async with anyio.create_task_group() as group:
            group.start_soon(count)
            for name, part in self._parts.items():
                group.start_soon(ask, name, part)
        every = [found[name] for name in self._parts]
        every += [*parts.files(self._authenticator), parts.issuer(self._authenticator.oidc), parts.trail(self._own)]
        told = [_refused(one) for one in self._refusals.top(datetime.now(UTC))]
        healthy = all(one.state in ("up", "off") for one in every)
        return Health(healthy=healthy, parts=every, refusals=told, conflicts=claimed[0] if claimed else None)

    async def _working(self) -> PartHealth:
        if not self._settings.kafka_bootstrap:
            return PartHealth(name="workers", state="off")
        try:
            with anyio.fail_after(PART_TIMEOUT_S):
                return parts.workers(await self.lag())
        except TimeoutError as error:
            raise Unavailable("Kafka did not answer in time.") from error

    @staticmethod
    def _part(what: str, ask: Callable[[], PartHealth]) -> Callable[[], Awaitable[PartHealth]]:
        return CachedProbe(what, ask, timeout_s=PART_TIMEOUT_S, fresh_s=FRESH_S).get

    def close(self) -> None:
        """Release the connections."""
        self._workers.close()
        self._letters.close()
        self._arrivals.close()
