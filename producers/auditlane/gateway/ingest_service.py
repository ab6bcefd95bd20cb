"""Takes events in: checks them, sends them to Kafka, says of each what became of it once Kafka has acknowledged."""

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

from auditlane.contract.patterns import LONGEST_VALUE
from auditlane.contract.provenance import Sign
from auditlane.contract.tenants import is_tenant
from auditlane.gateway import kafka
from auditlane.gateway.kafka import ACKNOWLEDGED, Ack, AckWaiter
from auditlane.gateway.metrics import Meters
from auditlane.gateway.rate import PastMonths, Rates
from auditlane.gateway.refusal_counts import ContractRefusals, by_contract
from auditlane.gateway.sender import Sender, event_of, filled
from auditlane.runtime.errors import AuditlaneError, BufferFull, RateLimited, http_status
from auditlane.runtime.fair_queue import FairQueue
from auditlane.runtime.fair_share import current
from auditlane.runtime.log import get
from auditlane.runtime.lru_cache import LruCache
from auditlane.runtime.settings import Settings
from auditlane.sdk import AuditClient
from auditlane.sdk.schema_resolver import SchemaMayBeStale

SLICE: Final = 1_000  # events that are sent together, and waited for together
LEAST_STEPS: Final = 5_000  # of one event's patterns, up to 60 µs; less does not count
LONG_STEPS: Final = 200_000  # of a slice's: up to 2.4 ms, too long for the event loop
_BURST: Final = 5  # seconds' worth of steps at once
_AT_ONCE: Final = 16  # so few are checked on the event loop itself: a thread would cost more than they do
_DEBTORS: Final = 1_000  # requests that have used up the rate and are not at their end
_THREADS: Final = 4  # that may wait for the registry at once, for what is not known and for what may be old each
_COMPLAIN_EVERY_S: Final = 10.0  # Kafka that is away is reported several times a second
REQUEST_ID: Final = "auditlane.request.id"  # the Kafka header
Signer = Callable[[str, Sequence[str]], Sign]  # (client id, filled fields) -> what signs their messages


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one event. `index` is its place in the request, from 0; no `error` means that Kafka has it."""

    index: int
    event_id: str = ""
    error: AuditlaneError | None = None


class IngestService:
    """The way of events from HTTP to Kafka, whatever form they were posted in. Used on one event loop.

    For a route of one's own: authenticate, make a `Sender` (`Sender.of(principal, named_tenant, request_id=…)`), turn
    the request into event objects as the JSON API takes them (`tenant_id`, `action`, …, own fields beside them or under
    `fields`), and call `send`. Answer success only for a result without an error:

        [result] = await service.send([values], sender)
        if result.error:
            raise result.error  # its code and HTTP status are right as they are
        return {"event_id": result.event_id}
    """

    def __init__(self, settings: Settings, meters: Meters | None = None, signer: Signer | None = None) -> None:
        """Reaches nothing yet. Without a `signer` workers store the events as coming from anybody who may write to
        the topic. Raises ConfigError for settings of Kafka or the registry that are not valid."""
        self._signer = signer
        self._config = kafka.client_config(settings)
        self._meters = meters or Meters()
        self.refusals = ContractRefusals()
        self._rates = Rates(settings.ingest_rate, settings.ingest_burst)
        self._steps = Rates(settings.ingest_pattern_steps, settings.ingest_pattern_steps * _BURST)
        self._past = PastMonths(settings.ingest_past_months)
        self._ack_s = settings.ingest_ack_timeout_ms / 1000
        self._room = settings.ingest_buffer_bytes
        self._held = 0
        self._held_by: Counter[tuple[str | None, str]] = Counter()
        self._client: AuditClient | None = None
        self._debtors: LruCache[Hashable, Sender] = LruCache(_DEBTORS)
        self._queue = FairQueue(1)
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._turn = anyio.CapacityLimiter(1)
        self._long = anyio.CapacityLimiter(1)
        self._doubts = anyio.CapacityLimiter(_THREADS)
        self._complain_at = 0.0
        self._log = get("ingest")

    async def send(self, posted: Sequence[object], sender: Sender) -> list[Result]:
        """Take one request's events; returns a result for each, in their order, when all are settled.

        `posted` are JSON values; an InvalidEvent among them stands for one that could not be read, and becomes its
        result. An event without a result in `AUDITLANE_INGEST_ACK_TIMEOUT_MS` gets KafkaUnavailable: it may still be
        stored. Errors of a result: InvalidEvent, WrongTenant, RegistryRefused, and to be tried again KafkaUnavailable,
        BufferFull, RateLimited, RegistryUnavailable. Raises RateLimited when this client has sent too much: then
        nothing was taken.
        """
        self.check_rate(sender)
        results: list[Result] = []
        for first in range(0, len(posted), SLICE):
            results += await self.send_slice(posted[first : first + SLICE], sender, first)
        return results

    def check_rate(self, sender: Sender) -> None:
        """Raises RateLimited when this client has to wait. Call it once a request, before its first `send_slice`.

        Where each event names its tenant, `send_slice` refuses those whose tenant has to wait.
        """
        if sender.tenant and (wait_s := self._rates.wait_s((sender.vouched, sender.tenant), time.monotonic())):
            raise self._turned_away(_too_fast(wait_s))

    @contextmanager
    def reserve_bytes(self, size: int, sender: Sender | None = None) -> Iterator[Callable[[int], None]]:
        """Count `size` bytes of a request as held in memory; what it yields counts more of them as they arrive.

        Both raise BufferFull when that would be too many, RateLimited when the sender's requests hold half of it all.
        """
        holder = (sender.tenant, "" if sender.tenant else sender.vouched) if sender else None
        mine = 0

        def more(size: int) -> None:
            nonlocal mine
            theirs = self._held_by[holder] if holder else 0
            if theirs and theirs + size > self._room // 2:
                raise self._turned_away(
                    RateLimited("So many bytes of one sender are held as may be.", fix="Send fewer requests at once.")
                )
            if self._held and self._held + size > self._room:
                raise self._turned_away(
                    BufferFull("The service holds as much as it may.", fix="Send the request again a little later.")
                )
            self._held += size
            mine += size
            if holder:
                self._held_by[holder] += size

        more(size)
        try:
            yield more
        finally:
            self._held -= mine
            if holder:
                self._held_by[holder] -= mine
                if not self._held_by[holder]:
                    del self._held_by[holder]

    async def send_slice(self, posted: Sequence[object], sender: Sender, first: int) -> list[Result]:
        """Send a slice of a request that arrives in pieces; `first` is the index of its first event."""
        began = time.monotonic()
        posted = self._within_rate(posted, sender, began)
        client = self._running()
        posted, steps = self._within_steps(client, posted, sender, began)
        waiter, ids = AckWaiter(len(posted)), [""] * len(posted)
        hand_over = partial(self._hand_over, client, posted, sender, first, waiter, ids)
        doubted: list[int] = []
        known = self._known(client, posted, sender)
        if known and steps <= LONG_STEPS and len(posted) <= _AT_ONCE:
            hand_over(doubted)
        else:
            async with self._queue.of(sender.tenant or ""):
                await self._in_thread(partial(hand_over, doubted), self._limiter(known=known, steps=steps))
        if doubted:  # not where everybody's events are checked: these wait for the registry
            async with self._queue.of(sender.tenant or ""):
                await self._in_thread(partial(hand_over, None, doubted), self._doubts)
        acks = await waiter.wait(self._ack_s)
        results = [Result(first + place, ids[place], _error(ack)) for place, ack in enumerate(acks)]
        errors = [result.error for result in results if result.error]
        if failed := next((ack for ack in acks if _ours(ack)), None):
            self._log.warning("ingest.failed", problem=str(failed), request_id=sender.request_id)
        self._meters.settled(len(results) - len(errors), errors, time.monotonic() - began)
        return results

    def _limiter(self, *, known: bool, steps: int) -> anyio.CapacityLimiter:
        """Where events are checked that take longer than the event loop has."""
        if not known:
            return self._threads
        if steps > LONG_STEPS:  # where nobody waits whose patterns are quick; RE2 leaves the interpreter to others
            return self._long
        return self._turn  # nothing but work: two threads at it would only take the interpreter from one another

    async def _in_thread(self, work: Callable[[], None], limiter: anyio.CapacityLimiter) -> None:
        await anyio.to_thread.run_sync(current().charged(work), limiter=limiter)

    def _within_rate(self, posted: Sequence[object], sender: Sender, now: float) -> Sequence[object]:
        """Charge the client for the events, by tenant; one tenant's flood leaves the client what others need.

        Events of tenants that have to wait become errors. A request about a single tenant was admitted as a whole: it
        continues even when it has used up the rate itself, but not when another request has.
        """
        tenants = [sender.tenant or _named(one) for one in posted]
        waits: dict[str, float] = {}
        for tenant, count in Counter(tenants).items():
            key = (sender.vouched, tenant)
            wait_s = self._rates.wait_s(key, now)
            if wait_s and not (sender.tenant and self._debtors.get(key) is sender):
                waits[tenant] = wait_s
                continue
            self._rates.charge(key, count, now)
            if self._rates.wait_s(key, now):
                self._debtors.put(key, sender)
        if waits:
            posted = [
                _too_fast(waits[tenant]) if tenant in waits else one
                for one, tenant in zip(posted, tenants, strict=True)
            ]
        past = self._past.waits(posted, tenants, now, datetime.now(UTC))
        return [_too_far_back(past[at]) if at in past else one for at, one in enumerate(posted)] if past else posted

    def _within_steps(
        self, client: AuditClient, posted: Sequence[object], sender: Sender, now: float
    ) -> tuple[Sequence[object], int]:
        """The events, those of tenants whose patterns have had their time as errors; and the steps of the others."""
        patterned = {tenant: client.patterned(tenant) for tenant in {sender.tenant or _named(one) for one in posted}}
        if not any(patterned.values()):
            return posted, 0
        taken: list[object] = []
        total = 0
        for event in posted:
            tenant = sender.tenant or _named(event)
            steps = pattern_steps(event, patterned[tenant]) if patterned[tenant] else 0
            if steps and (wait_s := self._steps.wait_s(tenant, now)):
                taken.append(_too_long(wait_s))
                continue
            if steps:
                self._steps.charge(tenant, steps, now)
            total += steps
            taken.append(event)
        return taken, total

    def open(self) -> None:
        """Begin to learn the contracts, for the first event to wait less."""
        self._running()

    async def own_fields(self, tenant: str) -> frozenset[str]:
        """The fields that the tenant's contract adds to an event's. Raises RegistryUnavailable, RegistryRefused."""
        client = self._running()
        if client.knows(tenant):
            return client.own_fields(tenant)
        return await anyio.to_thread.run_sync(client.own_fields, tenant, limiter=self._threads)

    def contract_changed(self, tenant: str | None) -> None:
        """The registry has something new for this tenant, for None for everybody. From any thread."""
        self.refusals.changed(tenant, datetime.now(UTC))
        if self._client:
            self._client.contract_changed(tenant)

    def close(self) -> None:
        """Wait for in-flight events up to the ack timeout, then close."""
        if self._client:
            self._client.close(self._ack_s)

    def _running(self) -> AuditClient:
        self._client = self._client or AuditClient(self._config, on_error=self._noted, own_headers=True)
        return self._client

    def _hand_over(
        self,
        client: AuditClient,
        posted: Sequence[object],
        sender: Sender,
        first: int,
        waiter: AckWaiter,
        ids: list[str],
        doubted: list[int] | None,
        places: Sequence[int] | None = None,
    ) -> None:
        """Check and send those at `places`, or all; every event is settled here or by the client's thread.

        But where the registry has to be asked before one is refused, its place is put into `doubted`; with None it is
        asked.
        """
        headers = {REQUEST_ID: sender.request_id} if sender.request_id else None
        signs: dict[tuple[str, ...], Sign] = {}
        for place in range(len(posted)) if places is None else places:
            one = posted[place]
            fields: tuple[str, ...] = ()
            try:
                if isinstance(one, AuditlaneError):
                    raise one
                event = event_of(one, sender, first + place)
                ids[place] = event.event_id
                if self._signer and (fields := filled(one, sender)) not in signs:
                    signs[fields] = self._signer(sender.vouched, fields)
                client.send(
                    event, partial(waiter.settle, place), headers, may_ask=doubted is None, sign=signs.get(fields)
                )
            except SchemaMayBeStale:
                if doubted is not None:
                    doubted.append(place)
            except AuditlaneError as error:
                if ids[place] and by_contract(error):
                    self._refused(event.tenant_id)
                waiter.settle(place, error)
            except Exception:  # one event must not leave the others unsettled
                self._log.exception("ingest.unforeseen", request_id=sender.request_id)
                waiter.settle(place, AuditlaneError("Something went wrong on our side."))

    def _known(self, client: AuditClient, posted: Sequence[object], sender: Sender) -> bool:
        """Whether no event of these would wait for the registry."""
        tenants = {sender.tenant or one.get("tenant_id") for one in posted if isinstance(one, dict)}
        return all(client.knows(tenant) for tenant in tenants if isinstance(tenant, str))

    def _refused(self, tenant: str) -> None:
        """The tenant's contract refused an event that could be read."""
        standing = self.refusals.add(tenant, datetime.now(UTC))
        self._meters.refused_by_contract(changed=standing.changed_at is not None)
        if standing.after_change == 1:
            means = "its contract was changed a short while ago, and events of it are refused since"
            self._log.warning("contract.refuses", tenant=tenant, changed_at=str(standing.changed_at), means=means)

    def _noted(self, error: AuditlaneError, event_id: str | None) -> None:
        now = time.monotonic()
        if event_id is None and now >= self._complain_at:  # of the connection; what concerns an event is in its result
            self._complain_at = now + _COMPLAIN_EVERY_S
            self._log.warning("ingest.kafka", problem=str(error))

    def _turned_away(self, error: AuditlaneError) -> AuditlaneError:
        self._meters.turned_away(error)
        return error


def _named(posted: object) -> str:
    """The tenant that an event names; "" for one that names none, or not as a text."""
    tenant = posted.get("tenant_id") if isinstance(posted, dict) else None
    return tenant if isinstance(tenant, str) and is_tenant(tenant) else ""


def pattern_steps(posted: object, patterned: Sequence[tuple[str, int]]) -> int:
    """What matching an event's values may cost, 12 ns each at worst; 0 where that is too little to count. Pure."""
    if not isinstance(posted, dict):
        return 0
    own = posted.get("fields")
    steps = 0
    for name, states in patterned:
        value = posted.get(name)
        if value is None and isinstance(own, dict):
            value = own.get(name)
        if value is not None:
            steps += states * _bytes(value)
    return steps if steps >= LEAST_STEPS else 0


def _bytes(value: object) -> int:
    return len(value[:LONGEST_VALUE].encode(errors="replace")) if isinstance(value, str) else LONGEST_VALUE


def _too_long(wait_s: float) -> RateLimited:
    return RateLimited(
        "The patterns of the tenant's contract take longer than they may.",
        fix="Wait as long as Retry-After says, then send it again; simpler patterns and shorter values take less.",
        retry_after_s=wait_s,
    )


def _too_fast(wait_s: float) -> RateLimited:
    return RateLimited(
        "This client sends more events of one tenant than it may.",
        fix="Wait as long as Retry-After says, then send them again.",
        retry_after_s=wait_s,
    )


def _too_far_back(wait_s: float) -> RateLimited:
    return RateLimited(
        "The tenant's events are of more past months at a time than they may be.",
        field="occurred_at",
        fix="Wait as long as Retry-After says, then send them again; events in order of their time are of few months.",
        retry_after_s=wait_s,
    )


def _error(ack: Ack) -> AuditlaneError | None:
    return None if ack == ACKNOWLEDGED else kafka.public_error(ack if isinstance(ack, AuditlaneError) else None)


def _ours(ack: Ack) -> bool:
    """Whether an operator should hear of it: callers are told less."""
    return isinstance(ack, AuditlaneError) and http_status(ack) >= HTTPStatus.INTERNAL_SERVER_ERROR
