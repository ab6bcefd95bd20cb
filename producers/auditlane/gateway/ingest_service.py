"""Ingests events: checks them, sends them to Kafka, and returns each event's outcome once Kafka has acknowledged it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Final

import anyio
import anyio.to_thread

from auditlane.contract.registry_reader import Observe
from auditlane.contract.tenants import is_tenant
from auditlane.gateway import kafka
from auditlane.gateway.hand_over import HandOver, Signer
from auditlane.gateway.kafka import ACKNOWLEDGED, SPOOLED, Ack, AckWaiter
from auditlane.gateway.metrics import GatewayMetrics
from auditlane.gateway.rate import PastPeriods, PatternSteps, Rates, too_fast, too_many_periods, too_many_steps
from auditlane.gateway.refusal_counts import ContractRefusals, by_contract
from auditlane.gateway.sender import Sender
from auditlane.runtime.errors import AuditlaneError, BufferFull, InvalidEvent, RateLimited, http_status
from auditlane.runtime.fair_share import FairQueue, current
from auditlane.runtime.log import get
from auditlane.runtime.lru_cache import LruCache
from auditlane.runtime.settings import Settings
from auditlane.sdk import AuditClient, SpoolStats
from auditlane.store.partitioning import Partitioning, configured

SLICE: Final = 1_000  # number of events that are sent, and awaited, together
# maximum number of pattern steps per slice (up to 2.4 ms); more would block the event loop for too long
LONG_STEPS: Final = 200_000
_INLINE: Final = 16  # maximum number of events to check on the event loop, which is cheaper than a thread
_DEBTORS: Final = 1_000  # maximum number of remembered requests in progress that have exhausted their rate
# Threads that may wait for the registry: this many for uncached contracts, and as many for possibly stale ones.
_THREADS: Final = 4
_LOG_EVERY_S: Final = 10.0  # interval of log lines: librdkafka reports an unreachable Kafka several times a second


@dataclass(slots=True)  # a frozen one takes twice as long to create
class Result:
    """One event's outcome. `index` is the event's position in the request, from 0. Without an `error`, Kafka has
    acknowledged the event, or it is `spooled`: on disk, to be sent once Kafka is available.
    """

    index: int
    event_id: str = ""
    error: AuditlaneError | None = None
    spooled: bool = False


class IngestService:
    """Sends events from HTTP to Kafka, regardless of the format in which they were posted. Use it on one event loop.

    To write a route of your own: authenticate, create a `Sender` (`Sender.of(principal, named_tenant, request_id=…)`),
    turn the request into event objects in the form that the JSON API takes (`tenant_id`, `action`, …, with custom
    fields among these members or under `fields`), and call `send`. Report success only for a result without an error:

        [result] = await service.send([values], sender)
        if result.error:
            raise result.error  # it has the right code and HTTP status
        return {"event_id": result.event_id}
    """

    def __init__(
        self,
        settings: Settings,
        metrics: GatewayMetrics | None = None,
        signer: Signer | None = None,
        observe_registry: Observe | None = None,
        on_refused: Callable[[str, str], None] = lambda tenant, code: None,
    ) -> None:
        """Store the settings without connecting. Raises ConfigError for invalid Kafka or registry settings.

        Without a `signer`, the events' provenance is `kafka`, since the gateway does not vouch for them.
        `observe_registry` is called after every request to the registry. `on_refused` is called for each invalid event,
        with the tenant (or "" if it is unknown) and the error code.
        """
        self._on_refused = on_refused
        self._signer = signer
        self._observe_registry = observe_registry
        self._config = kafka.client_config(settings)
        self._metrics = metrics or GatewayMetrics()
        self.refusals = ContractRefusals()
        self._rates = Rates(settings.ingest_rate, settings.ingest_burst)
        self._steps = PatternSteps(settings.ingest_pattern_steps)
        self._past = PastPeriods(settings.ingest_past_months, configured(settings) or Partitioning.MONTH)
        self._ack_timeout_s = settings.ingest_ack_timeout_ms / 1000
        self._max_held = settings.ingest_buffer_bytes
        self._held = 0
        self._held_by: Counter[tuple[str | None, str]] = Counter()
        self._client: AuditClient | None = None
        self._debtors: LruCache[Hashable, Sender] = LruCache(_DEBTORS)
        self._queue = FairQueue(1)
        self._uncached_threads = anyio.CapacityLimiter(_THREADS)
        self._check_thread = anyio.CapacityLimiter(1)
        self._long_check_thread = anyio.CapacityLimiter(1)
        self._stale_threads = anyio.CapacityLimiter(_THREADS)
        self._log_next_at = 0.0
        self._log = get("ingest")

    async def send(self, posted: Sequence[object], sender: Sender) -> list[Result]:
        """Send one request's events. Returns a result for each, in order, once all are settled.

        `posted` contains JSON values. An InvalidEvent among them stands for a value that could not be parsed, and
        becomes its result. An event that is not settled within `AUDITLANE_INGEST_ACK_TIMEOUT_MS` gets KafkaUnavailable,
        but may still be stored. The errors in results are InvalidEvent, WrongTenant and RegistryRefused, and those
        after which a retry may succeed: KafkaUnavailable, BufferFull, RateLimited and RegistryUnavailable. Raises
        RateLimited if the client has exceeded its rate. No event was accepted in that case.
        """
        self.check_rate(sender)
        results: list[Result] = []
        for first in range(0, len(posted), SLICE):
            results += await self.send_slice(posted[first : first + SLICE], sender, first)
        return results

    def check_rate(self, sender: Sender) -> None:
        """Raise RateLimited if this client has to wait. Call it once per request, before its first `send_slice`.

        If each event names its own tenant, `send_slice` rejects the events of tenants that have to wait.
        """
        if sender.tenant and (wait_s := self._rates.wait_s((sender.provenance_id, sender.tenant), time.monotonic())):
            raise self._request_refused(too_fast(wait_s))

    @contextmanager
    def reserve_bytes(self, size: int, sender: Sender | None = None) -> Iterator[Callable[[int], None]]:
        """Reserve `size` bytes of memory for a request. Yields a function that reserves more as bytes arrive.

        Both raise BufferFull if the buffer is full, and RateLimited if the sender's requests would use more than half
        of it.
        """
        holder = (sender.tenant, "" if sender.tenant else sender.provenance_id) if sender else None
        reserved = 0

        def reserve(size: int) -> None:
            nonlocal reserved
            held_by_sender = self._held_by[holder] if holder else 0
            if held_by_sender and held_by_sender + size > self._max_held // 2:
                raise self._request_refused(
                    RateLimited(
                        "This sender's in-flight requests exceed its share of the request buffer.",
                        fix="Send fewer concurrent requests; AUDITLANE_INGEST_BUFFER_BYTES is the limit for all "
                        "senders.",
                    )
                )
            if self._held and self._held + size > self._max_held:
                raise self._request_refused(
                    BufferFull(
                        "The service's request buffer is full.",
                        fix="Send the request again later; AUDITLANE_INGEST_BUFFER_BYTES is the limit.",
                    )
                )
            self._held += size
            reserved += size
            if holder:
                self._held_by[holder] += size

        reserve(size)
        try:
            yield reserve
        finally:
            self._held -= reserved
            if holder:
                self._held_by[holder] -= reserved
                if not self._held_by[holder]:
                    del self._held_by[holder]

    async def send_slice(self, posted: Sequence[object], sender: Sender, first: int) -> list[Result]:
        """Send one slice of a request that arrives in chunks. `first` is its first event's index."""
        began = time.monotonic()
        tenants = _tenants_of(posted, sender)
        posted = self._within_rate(posted, tenants, sender, began)
        client = self._running()
        posted, steps = self._within_steps(client, posted, tenants, began)
        waiter = AckWaiter(len(posted))
        handed = HandOver(client, posted, sender, first, waiter, self._signer, partial(self._refused, sender))
        hand_over, ids = handed.run, handed.ids
        stale: list[int] = []
        cached = all(client.knows(tenant) for tenant in set(tenants) if tenant)
        if cached and steps <= LONG_STEPS and len(posted) <= _INLINE:
            hand_over(stale)
        else:
            async with self._queue.of(sender.tenant or ""):
                await self._in_thread(partial(hand_over, stale), self._limiter(cached=cached, steps=steps))
        if stale:  # in separate threads, since these wait for the registry
            async with self._queue.of(sender.tenant or ""):
                await self._in_thread(partial(hand_over, None, stale), self._stale_threads)
        acks = await waiter.wait(self._ack_timeout_s)
        if acks.count(ACKNOWLEDGED) == len(acks):
            self._metrics.settled(len(acks), (), time.monotonic() - began)
            return list(map(Result, range(first, first + len(acks)), ids))
        results = [Result(first + place, ids[place], _error(ack), ack == SPOOLED) for place, ack in enumerate(acks)]
        errors = [result.error for result in results if result.error]
        if failed := next((ack for ack in acks if _is_server_error(ack)), None):
            self._log.warning("ingest.failed", problem=str(failed), request_id=sender.request_id)
        self._metrics.settled(len(results) - len(errors), errors, time.monotonic() - began)
        return results

    def _limiter(self, *, cached: bool, steps: int) -> anyio.CapacityLimiter:
        """Return the limiter for the threads that check events. They are used if checking on the event loop would block
        it for too long.
        """
        if not cached:
            return self._uncached_threads
        if steps > LONG_STEPS:  # apart from tenants with fast patterns; RE2 releases the GIL
            return self._long_check_thread
        return self._check_thread  # CPU-bound: a second thread would only compete for the GIL

    async def _in_thread(self, work: Callable[[], None], limiter: anyio.CapacityLimiter) -> None:
        await anyio.to_thread.run_sync(current().charged(work), limiter=limiter)

    def _within_rate(
        self, posted: Sequence[object], tenants: Sequence[str], sender: Sender, now: float
    ) -> Sequence[object]:
        """Charge the client for the events by tenant, so that one tenant's flood does not use up the rate of the
        others.

        Events of tenants that have to wait become errors. A request for a single tenant was admitted as a whole, so it
        continues after exhausting the rate itself, but not after another request has exhausted it.
        """
        waits: dict[str, float] = {}
        for tenant, count in Counter(tenants).items():
            key = (sender.provenance_id, tenant)
            wait_s = self._rates.wait_s(key, now)
            if wait_s and not (sender.tenant and self._debtors.get(key) is sender):
                waits[tenant] = wait_s
                continue
            self._rates.charge(key, count, now)
            if self._rates.wait_s(key, now):
                self._debtors.put(key, sender)
        if waits:
            posted = [
                too_fast(waits[tenant]) if tenant in waits else event
                for event, tenant in zip(posted, tenants, strict=True)
            ]
        past = self._past.waits(posted, tenants, now, datetime.now(UTC))
        if not past:
            return posted
        form = self._past.partitioning
        return [too_many_periods(past[at], form) if at in past else event for at, event in enumerate(posted)]

    def _within_steps(
        self, client: AuditClient, posted: Sequence[object], tenants: Sequence[str], now: float
    ) -> tuple[Sequence[object], int]:
        """Charge tenants for their events' pattern steps.

        Returns the events, and the total steps. An event whose tenant has to wait is replaced with an error and not
        counted.
        """
        patterned = {tenant: client.patterned(tenant) for tenant in set(tenants)}
        if not any(patterned.values()):
            return posted, 0
        waits, steps = self._steps.waits(posted, tenants, patterned, now)
        return [too_many_steps(waits[at]) if at in waits else event for at, event in enumerate(posted)], steps

    def open(self) -> None:
        """Start the client, which prefetches the base contract to shorten the first event's wait."""
        self._running()

    async def own_fields(self, tenant: str) -> frozenset[str]:
        """Return the names of the contract's custom fields. Raises RegistryUnavailable or RegistryRefused."""
        client = self._running()
        if client.knows(tenant):
            return client.own_fields(tenant)
        return await anyio.to_thread.run_sync(client.own_fields, tenant, limiter=self._uncached_threads)

    def contract_changed(self, tenant: str | None) -> None:
        """Invalidate the cached contract of `tenant`, or all contracts if it is None. May be called from any thread."""
        self.refusals.changed(tenant, datetime.now(UTC))
        if self._client:
            self._client.contract_changed(tenant)

    @property
    def spool_stats(self) -> SpoolStats | None:
        """The state of the spool, or None without a spool."""
        return self._client.stats.spool if self._client else None

    def close(self) -> None:
        """Wait for in-flight events up to the ack timeout, then close."""
        if self._client:
            self._client.close(self._ack_timeout_s)

    def _running(self) -> AuditClient:
        self._client = self._client or AuditClient(
            self._config, on_error=self._log_error, own_headers=True, observe_registry=self._observe_registry
        )
        return self._client

    def _refused(self, sender: Sender, value: object, tenant: str, error: AuditlaneError) -> None:
        """Count an event that was not accepted. `tenant` is "" if its contract did not matter."""
        if tenant and by_contract(error):
            self._count_contract_refusal(tenant)
        if isinstance(error, InvalidEvent):
            self._on_refused(sender.tenant or _tenant_named_by(value), error.code)

    def _count_contract_refusal(self, tenant: str) -> None:
        """Count an event that could be parsed but was rejected by its tenant's contract."""
        count = self.refusals.add(tenant, datetime.now(UTC))
        self._metrics.refused_by_contract(changed=count.changed_at is not None)
        if count.after_change == 1:
            means = "the contract was changed within the last hour, and has rejected events since"
            self._log.warning("contract.refuses", tenant=tenant, changed_at=str(count.changed_at), means=means)

    def _log_error(self, error: AuditlaneError, event_id: str | None) -> None:
        now = time.monotonic()
        if event_id is None and now >= self._log_next_at:  # a connection error; errors of events are in their results
            self._log_next_at = now + _LOG_EVERY_S
            self._log.warning("ingest.kafka", problem=str(error))

    def _request_refused(self, error: AuditlaneError) -> AuditlaneError:
        self._metrics.request_refused(error)
        return error


def _tenants_of(posted: Sequence[object], sender: Sender) -> list[str]:
    """Return the tenant of each posted event, or "" if it is missing or invalid."""
    if sender.tenant:
        return [sender.tenant] * len(posted)
    named = [event.get("tenant_id") if isinstance(event, dict) else None for event in posted]
    valid = {name for name in {name for name in named if isinstance(name, str)} if is_tenant(name)}
    return [name if isinstance(name, str) and name in valid else "" for name in named]


def _tenant_named_by(posted: object) -> str:
    """Return a posted event's `tenant_id`, or "" if it is missing or invalid."""
    tenant = posted.get("tenant_id") if isinstance(posted, dict) else None
    return tenant if isinstance(tenant, str) and is_tenant(tenant) else ""


def _error(ack: Ack) -> AuditlaneError | None:
    return (
        None if ack in (ACKNOWLEDGED, SPOOLED) else kafka.public_error(ack if isinstance(ack, AuditlaneError) else None)
    )


def _is_server_error(ack: Ack) -> bool:
    """Return whether to log the error for operators, since callers do not see internal details."""
    return isinstance(ack, AuditlaneError) and http_status(ack) >= HTTPStatus.INTERNAL_SERVER_ERROR
