"""Observes an installation. The process that holds the lease checks the installation and records events. The others
only wait for the lease.

The owner continues to check while it cannot reach ClickHouse, since that is when lag builds up. Its lease may expire
meanwhile, and another process may take over and record the same changes as different events. Therefore, events are
recorded only after the lease has been renewed with the state that contains them, and an owner that was replaced drops
them. An owner that takes over records recent events again, with the same ids, so readers see each of them once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from clickhouse_connect.driver.client import Client

from auditlane.access.audit import AuditRecord, AuditSink
from auditlane.observe import history
from auditlane.observe.conditions import Policy
from auditlane.observe.decide import Minute, decide, started
from auditlane.observe.history import Observation
from auditlane.observe.probes import Probes
from auditlane.observe.state import ObserverState
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings
from auditlane.store.client import LazyClient, connect
from auditlane.store.leases import Claim, Lease

NAME: Final = "observer"
LEASE_CHECKS: Final = 4  # number of intervals without a renewal after which another process takes over
_SHORTEST_LEASE: Final = timedelta(seconds=2)
_STORE_S: Final = 5  # timeout of requests to ClickHouse
_UNSAVED: Final = 240  # maximum number of minutes kept while ClickHouse is unavailable
_STOP_S: Final = 3.0


class Latencies(NamedTuple):
    """The 99th-percentile latencies of reads and of requests that send events, in seconds.

    They cover the time since the previous reading. A latency is None if there were no such requests in that time.
    """

    query_s: float | None = None
    ingest_s: float | None = None


class Observer:
    """The observer of one process. `turn` runs a check, or finds out whether this process should take over. Not
    thread-safe.
    """

    def __init__(
        self,
        settings: Settings,
        sink: AuditSink,
        *,
        latencies: Callable[[], Latencies] = Latencies,
        store: Callable[[], Client] | None = None,
    ) -> None:
        self._lazy = LazyClient(
            lambda: connect(settings, connect_timeout=_STORE_S, send_receive_timeout=_STORE_S, query_limit=0)
        )
        self._store = store or self._lazy.client
        self._database = settings.clickhouse_database
        self._policy = Policy.of(settings)
        self._expiry_within = timedelta(days=settings.observe_expiry_days)
        duration = max(_SHORTEST_LEASE, timedelta(seconds=settings.observe_every_s * LEASE_CHECKS))
        self._lease = Lease(self._store, self._database, NAME, duration=duration)
        # events not recorded yet, because the lease was not renewed with their state
        self._held: list[AuditRecord] = []
        self._probes = Probes(settings, self._store)
        self._sink = sink
        self._latencies = latencies
        self._state: ObserverState | None = None  # None while another process observes
        self._unsaved: deque[tuple[datetime, Observation]] = deque(maxlen=_UNSAVED)
        self._problem = ""
        self._log = get("observe")

    @property
    def leading(self) -> bool:
        """Whether this process currently observes the installation."""
        return self._state is not None

    def turn(self, now: datetime) -> None:
        """Check the installation if this process holds the lease or can take it."""
        claim = self._newest()
        if claim is not None:
            claim = self._led(claim)
        if self._state is None:
            return
        state = self._state
        decision = decide(state, self._probes.measure(state), self._policy, now=now, expiry_within=self._expiry_within)
        renewed = claim is not None and self._renew(claim, decision.state.including(self._held))
        if self._state is None:
            return
        self._state = decision.state
        self._held += decision.events
        if renewed:
            self._record()
        if decision.minute is not None:
            self._save(decision.minute)

    def close(self) -> None:
        """Let another process take over, and close the connections."""
        try:
            if self._state is not None:
                claim = self._lease.newest()
                if claim.owner == self._lease.owner:
                    # This process's sink delivers or spools the others by itself.
                    self._lease.release(claim, self._state.model_copy(update={"recent": tuple(self._held)}).dump())
        except AuditlaneError as error:
            self._log.info("observe.not_released", problem=str(error), means="the lease ends by itself")
        self._state = None
        self._probes.close()
        self._lazy.close()

    def _record(self) -> None:
        """Record the events that were held back until the lease was renewed."""
        for event in self._held:
            self._log.info("observe.event", action=event.action, resource=event.resource_id, tenant=event.tenant)
            self._sink.record(event)
        self._held.clear()

    def _newest(self) -> Claim | None:
        """Return the newest claim of the lease, or None while ClickHouse is unavailable."""
        try:
            claim = self._lease.newest()
        except AuditlaneError as error:
            self._report(error)
            return None
        self._problem = ""
        return claim

    def _led(self, claim: Claim) -> Claim | None:
        """Start, continue or stop leading, as the newest claim requires. Returns the claim to renew, if any."""
        if claim.owner == self._lease.owner:
            if self._state is None:  # the response to this process's first claim was lost
                self._begin(claim)
            return claim
        if self._state is not None:
            self._log.info("observe.replaced")
            self._end()
        if not claim.expired:
            return None
        try:
            if not self._lease.claim(claim, claim.state):
                return None
        except AuditlaneError as error:
            self._report(error)
            return None
        self._begin(claim)
        return replace(claim, epoch=claim.epoch + 1, owner=self._lease.owner)

    def _begin(self, claim: Claim) -> None:
        try:
            self._state = ObserverState.parse(claim.state)
        except ValueError as error:
            self._log.warning(
                "observe.state_unreadable", problem=str(error)[:200], means="conditions start without a history"
            )
            self._state = ObserverState()
        self._log.info("observe.leading", epoch=claim.epoch, conditions=len(self._state.conditions))
        for event in self._state.recent:
            self._sink.record(event)

    def _end(self) -> None:
        self._state = None
        self._held.clear()
        self._unsaved.clear()
        self._probes.close()

    def _renew(self, claim: Claim, state: ObserverState) -> bool:
        """Renew the lease with the new state. Returns whether it has certainly been renewed. Stops leading if another
        process holds the lease.
        """
        try:
            if self._lease.claim(claim, state.dump()):
                return True
        except AuditlaneError as error:
            self._report(error)
            return False
        self._log.info("observe.replaced")
        self._end()
        return False

    def _save(self, minute: Minute) -> None:
        latencies = self._latencies()
        median, p99 = self._probes.freshness(minute.since_ms, minute.until_ms)
        observation = Observation(
            received_per_second=minute.received_per_second,
            stored_per_second=minute.stored_per_second,
            lag_seconds=minute.lag_seconds,
            lag_events=minute.lag_events,
            freshness_p50_s=median,
            freshness_p99_s=p99,
            dead_letters=minute.dead_letters,
            query_p99_s=latencies.query_s,
            ingest_p99_s=latencies.ingest_s,
            disk_used_ratio=minute.disk_used_ratio,
        )
        self._unsaved.append((started(minute), observation))
        try:
            while self._unsaved:
                history.save(self._store(), self._database, *self._unsaved[0])
                self._unsaved.popleft()
        except AuditlaneError as error:
            self._report(error)

    def _report(self, error: AuditlaneError) -> None:
        if str(error) != self._problem:
            self._problem = str(error)
            self._log.warning("observe.store", problem=str(error), leading=self.leading)


class Loop:
    """Runs functions at an interval in a separate thread. Each function is called with the time, and its errors are
    logged.
    """

    def __init__(self, every_s: float) -> None:
        """Set the interval in seconds. If it is 0, no functions are run."""
        self._every_s = every_s
        self._turns: list[Callable[[datetime], None]] = []
        self._closes: list[Callable[[], None]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observe", daemon=True)
        self._log = get("observe")

    def add(self, turn: Callable[[datetime], None], close: Callable[[], None]) -> None:
        """Add a `turn` to run at each interval, and a `close` to run at the end, in the same thread. Call this before
        `start`.
        """
        self._turns.append(turn)
        self._closes.append(close)

    def start(self) -> None:
        """Start the thread, unless there is nothing to run."""
        if self._every_s and self._turns:
            self._thread.start()

    def stop(self) -> None:
        """End the thread after its current turn. It then closes its connections. Waits for a few seconds at most."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            for turn in self._turns:
                if not self._stop.is_set():
                    self._guarded(partial(turn, datetime.now(UTC)))
        for close in self._closes:
            self._guarded(close)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # one failed check must not prevent later ones
            self._log.exception("observe.unforeseen")
