"""Resolves the schema for a tenant's events. A background thread queries the registry, so `emit` never hangs on it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final

from auditlane.contract.registry_reader import Registry, Version, missing_base_fields, newest_complete
from auditlane.contract.tenants import base_subject, tenant_subject
from auditlane.runtime.errors import AuditlaneError, RegistryUnavailable, SchemaNotFound
from auditlane.runtime.lru_cache import LruCache
from auditlane.sdk.encoding import Encoder
from auditlane.sdk.logs import log_later, quiet
from auditlane.sdk.outage import Away, Back, Outage

RETRY_S: Final = 1.0  # time between requests to a failing registry
TRY_S: Final = 0.1  # how long one caller waits for a registry that has failed before
# Minimum interval between requests caused by a tenant's rejected events, and how long the events wait for one.
RECHECK_S: Final = 1.0


class SchemaMayBeStale(Exception):
    """Raised when a cached contract rejects a tenant's event but may be stale, so that the registry must be queried
    first.
    """


class SchemaResolver:
    """Resolves the encoder of each tenant, from a cache if possible. Thread-safe.

    `encoder(tenant)` returns a cached entry regardless of its age. One thread at a time queries the registry. For an
    uncached tenant, a caller waits up to `wait_s` or, once the registry has failed, TRY_S every RETRY_S. A cached
    contract is refreshed in the background after `refresh_s`. Before a cached contract rejects an event, `refreshed`
    requests a newer one.
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
        self._topic = topic
        self._base = base_subject(topic)
        self._refresh_s = refresh_s
        self._wait_s = wait_s
        self._clock = clock
        self._changed = threading.Condition(threading.RLock())
        self._cache = SchemaCache(registry, self._base)
        # tenant -> (time until which `encoder` returns it immediately, encoder); replaced whenever a result may change
        self._ready: dict[str, tuple[float, Encoder]] = {}
        self._wanted: dict[str, float] = {}  # queue of tenant subjects to fetch -> minimum time of the request
        # The next three are keyed by tenant subject.
        # Time of the last request caused by a rejected event.
        self._rechecked_at: LruCache[str, float] = LruCache(KEPT_TENANTS)
        self._changed_at: LruCache[str, float] = LruCache(KEPT_TENANTS)  # time of the last `forget`
        # Last time that a wait for the change timed out.
        self._waited_at: LruCache[str, float] = LruCache(KEPT_TENANTS)
        self._fetcher: threading.Thread | None = None
        self._asking = False
        self._outage = Outage()
        # (time of the next attempt, error) by tenant subject if the registry rejects it, and under "" if it is
        # unavailable.
        self._failed: LruCache[str, tuple[float, AuditlaneError]] = LruCache(KEPT_TENANTS)

    def prefetch(self, tenant: str | None = None) -> None:
        """Fetch a tenant's contract, or the base contract, in the background, so that a later `emit` waits less."""
        subject = self._base if tenant is None else tenant_subject(self._topic, tenant)
        with self._changed:
            if not ((failed := self._failure(subject)) and self._clock() < failed[0]):
                self._want(subject, self._clock() - self._refresh_s)

    def encoder(self, tenant: str) -> Encoder:
        """Return the tenant's encoder, from the cache if possible.

        Raises RegistryUnavailable or RegistryRefused if it is not cached and cannot be fetched.
        """
        ready = self._ready  # read first: if it is replaced in the meantime, the entry added below is not used
        own = tenant_subject(self._topic, tenant)
        if (known := self._cache.of(own)) is None:
            return self._awaited(own)
        asked_at, encoder = known
        now = self._clock()
        if self._predates_change(own, known, now):
            return self._after_change(own, encoder)
        until = asked_at + self._refresh_s
        if now > until:
            if (failed := self._failure(own)) and now < failed[0]:
                until = failed[0]
            else:
                with self._changed:
                    self._want(own, now - self._refresh_s)
        if now <= until and not self._awaits_change(own, known):
            if len(ready) >= KEPT_TENANTS:
                ready.clear()
            ready[tenant] = until, encoder
        return encoder

    def ready(self, tenant: str) -> Encoder | None:
        """Return the tenant's encoder if `encoder` returned it recently and would do so again without a registry
        request, or None otherwise.
        """
        found = self._ready.get(tenant)
        return found[1] if found is not None and self._clock() <= found[0] else None

    def refreshed(self, tenant: str, rejected_by: Encoder, *, may_ask: bool = True) -> Encoder | None:
        """Return the tenant's newest encoder, or None if it is `rejected_by` or cannot be fetched.

        With `may_ask`, this waits for the registry. A tenant's rejected events cause one request every RECHECK_S, and
        wait for at most that long.
        """
        own = tenant_subject(self._topic, tenant)
        with self._changed:
            now, failed = self._clock(), self._failure(own)
            if may_ask and self._may_ask(own, now):
                self._rechecked_at.put(own, now)
                self._want(own, now)
                self._wanted = {own: now} | self._wanted  # ahead of background refreshes
            if may_ask and own in self._wanted:
                timeout_s = TRY_S if failed else self._rechecked_at.get(own, now) + RECHECK_S - now
                self._changed.wait_for(lambda: own not in self._wanted, max(min(timeout_s, self._wait_s), 0.0))
            known = self._cache.of(own)
        return known[1] if known and known[1] is not rejected_by else None

    def may_be_stale(self, tenant: str) -> bool:
        """Return whether `refreshed` would wait for the registry."""
        own = tenant_subject(self._topic, tenant)
        return own in self._wanted or self._may_ask(own, self._clock())

    def forget(self, tenant: str | None) -> None:
        """Invalidate the cached contract of `tenant`, which was just changed, or all contracts if it is None.

        The next event of a tenant that has been using the base contract then waits for the registry, for up to
        RECHECK_S: if the tenant has an exclusive contract by now, a worker would reject the event.
        """
        own = None if tenant is None else tenant_subject(self._topic, tenant)
        with self._changed:
            self._cache.forget(own)
            if own is not None:
                self._changed_at.put(own, self._clock())
            for subject in self._rechecked_at.keys() if own is None else [own]:
                self._rechecked_at.pop(subject)
            self._ready = {}

    def knows(self, tenant: str) -> bool:
        """Return whether `encoder` would return without waiting."""
        if self.ready(tenant) is not None:
            return True
        own = tenant_subject(self._topic, tenant)
        known = self._cache.of(own)
        return known is not None and not self._predates_change(own, known, self._clock())

    def close(self) -> None:
        self._cache.registry.close()

    def wait_until_idle(self, timeout_s: float) -> None:
        """Wait for a request in progress before a fork. A child would wait forever for locks held by its thread."""
        if self._changed.acquire(timeout=timeout_s):
            try:
                self._changed.wait_for(lambda: not self._asking, timeout_s)
            finally:
                self._changed.release()

    def after_fork(self, registry: Registry) -> None:
        """Keep the cache in a forked child, and replace the parent's locks, sockets and thread."""
        self._cache.after_fork(registry)
        self._rechecked_at.after_fork()
        self._failed.after_fork()
        self._changed_at.after_fork()
        self._waited_at.after_fork()
        self._changed = threading.Condition(threading.RLock())
        self._wanted = {}
        self._fetcher = None
        self._asking = False
        self._outage = Outage()

    def _predates_change(self, own: str, known: tuple[float, Encoder], now: float) -> bool:
        """Return whether the tenant still uses a base contract cached before `forget`, so that its event must wait.

        Returns False once an event has waited without success, or while the registry fails.
        """
        if not self._awaits_change(own, known):
            return False
        failed = self._failure(own)
        return not (failed and now < failed[0])

    def _awaits_change(self, own: str, known: tuple[float, Encoder]) -> bool:
        changed_at = self._changed_at.get(own)
        if changed_at is None or known[1].subject != self._base:
            return False
        return max(known[0], self._waited_at.get(own, -math.inf)) < changed_at

    def _after_change(self, own: str, old: Encoder) -> Encoder:
        """Return the encoder of the changed contract, or `old` if the registry does not respond within RECHECK_S."""
        with self._changed:
            now = self._clock()
            self._want(own, now)
            self._wanted = {own: self._wanted[own]} | self._wanted  # ahead of background refreshes
            if not self._changed.wait_for(lambda: own not in self._wanted, min(RECHECK_S, self._wait_s)):
                self._waited_at.put(own, now)
            known = self._cache.of(own)
        return known[1] if known else old

    def _failure(self, own: str) -> tuple[float, AuditlaneError] | None:
        return self._failed.get("") or self._failed.get(own)

    def _may_ask(self, own: str, now: float) -> bool:
        """Return whether a rejected event may cause another request."""
        failed = self._failure(own)
        return now - self._rechecked_at.get(own, -math.inf) >= RECHECK_S and not (failed and now < failed[0])

    def _awaited(self, own: str) -> Encoder:
        with self._changed:
            timeout_s = self._wait_s
            if failed := self._failure(own):
                retry_at, error = failed
                if self._clock() < retry_at:
                    raise error
                self._fail(own, error)  # this caller retries; others keep failing immediately
                timeout_s = min(timeout_s, TRY_S)
            self._want(own, self._clock() - self._refresh_s)
            if threading.current_thread() is self._fetcher:
                raise self._explained(
                    RegistryUnavailable("The event was emitted on the thread that fetches schemas, which cannot wait.")
                )
            asked = self._changed.wait_for(lambda: own not in self._wanted, timeout_s)
            if (known := self._cache.of(own)) is not None:
                return known[1]
            if asked and (failed := self._failure(own)):
                raise failed[1]
            late = RegistryUnavailable(f"It did not respond within {timeout_s:g} s.")
            raise self._fail(own, self._explained(late))

    def _want(self, own: str, since: float) -> None:
        """Queue a request for `own`. A request sent at `since` or later satisfies it. Call with the lock held."""
        self._wanted[own] = max(since, self._wanted.get(own, -math.inf))
        if self._fetcher is None:
            # A signal handler that interrupts this may start a second thread; the first that runs fetches.
            threading.Thread(target=self._fetch_wanted, name="auditlane-contracts", daemon=True).start()

    def _fail(self, own: str, error: AuditlaneError) -> AuditlaneError:
        """Record and return the error. If the registry is unavailable, it applies to all tenants. Call with the lock
        held."""
        about = "" if isinstance(error, RegistryUnavailable) else own
        self._failed.put(about, (self._clock() + RETRY_S, error))
        return error

    def _fetch_wanted(self) -> None:
        """Fetch until the queue is empty. Failed requests are dropped, and a later caller retries them."""
        with self._changed:
            if self._fetcher is not None:
                return
            self._fetcher = threading.current_thread()
        try:
            while self._ask_next():
                pass
        except BaseException:
            self._fetcher = None  # the next caller starts another thread
            raise

    def _ask_next(self) -> bool:
        with self._changed:
            if not self._wanted:
                self._fetcher = None
                return False
            own, since = next(iter(self._wanted.items()))
            began = self._clock()
            self._asking = True
        failed = None
        try:
            alone = self._rechecked_at.get(own, -math.inf) >= since
            with quiet():
                self._cache.ask(own, since, began, alone=alone)
        except AuditlaneError as error:
            failed = error
        finally:
            with self._changed:
                self._asking = False
                self._changed.notify_all()
        with self._changed:
            self._settle(own, failed, began)
            self._ready = {}
            self._changed.notify_all()
        return True

    def _settle(self, own: str, failed: AuditlaneError | None, began: float) -> None:
        """Record a request's outcome. `own` stays queued if a later request is wanted. Call with the lock held."""
        if failed is None or not isinstance(failed, RegistryUnavailable):
            self._failed.pop("")  # the registry responds
            self._failed.pop(own)
            if failed is not None or self._wanted.get(own, -math.inf) <= began:
                self._wanted.pop(own, None)
        else:
            self._wanted.clear()
        if failed is not None:
            if isinstance(failed, RegistryUnavailable):
                self._outage.suspect(str(failed), began)
                self._log_outage(self._outage.unreachable(began))
            elif self._cache.of(own) is not None:
                log_later(logging.WARNING, "a contract cannot be refreshed, the cached one stays in use: %s", failed)
            self._fail(own, self._explained(failed))
        if not isinstance(failed, RegistryUnavailable):
            self._log_outage(self._outage.recovered(began))

    def _log_outage(self, change: Away | Back | None) -> None:
        if isinstance(change, Away):
            since = f" It has been unreachable for {change.for_s:.0f} s." if change.for_s else ""
            message = "contracts cannot be refreshed, the cached ones stay in use: %s%s"
            log_later(logging.WARNING, message, change.reason, since)
        elif change is not None:
            log_later(logging.WARNING, "the schema registry is back after %.0f s", change.after_s)

    def _explained(self, error: AuditlaneError) -> AuditlaneError:
        if isinstance(error, RegistryUnavailable):
            return RegistryUnavailable(
                f"The first event of a tenant needs the schema registry, which is unavailable: {error.message}",
                fix=error.fix or "Start it, or correct AUDITLANE_REGISTRY_URL; then emit the event again.",
            )
        if isinstance(error, SchemaNotFound):
            return SchemaNotFound(
                f"The registry has no schema for the topic {self._topic}: {error.message}",
                fix="Run `auditlane init`, or correct AUDITLANE_TOPIC and AUDITLANE_REGISTRY_URL.",
            )
        return error


KEPT_TENANTS: Final = 20_000
KEPT_CHARACTERS: Final = 16 << 20  # maximum total size of the cached schemas: about 5,000 of the base event's size


class SchemaCache:
    """A cache of encoders by tenant subject (`own`), whether or not the subject exists.

    Timestamps are the caller's clock readings at the time of a request. One thread may `ask` while others read.
    """

    def __init__(self, registry: Registry, base: str) -> None:
        self.registry = registry
        self._base = base
        self._subjects: frozenset[str] = frozenset()
        self._listed_at: float | None = None
        # (latest id of the base subject, its newest complete version)
        self._complete: tuple[int, Version] | None = None
        # An evicted entry is fetched again, as if it had never been cached.
        self._checked: LruCache[str, float] = LruCache(KEPT_TENANTS)  # own -> when it was last requested by itself
        self._encoders: LruCache[str, tuple[float, Encoder]] = LruCache(
            KEPT_CHARACTERS, weight=lambda known: known[1].size
        )
        self._uses: LruCache[str, str] = LruCache(KEPT_TENANTS)  # own -> the subject whose schema encodes its events

    def of(self, own: str) -> tuple[float, Encoder] | None:
        """Return the time of the oldest request behind a subject's cached encoder, and the encoder, or None if it is
        not cached.

        A tenant keeps its encoder until the next one is cached.
        """
        right = own if own in self._subjects else self._base
        used = self._uses.get(own)
        known = self._encoders.get(used or right)
        if self._listed_at is None or known is None:
            return None
        if used is None:
            used = right
            self._uses.put(own, right)
        asked_at, encoder = known
        checked_at = max(self._listed_at, self._checked.get(own, -math.inf))
        return min(asked_at, checked_at) if used == right else -math.inf, encoder

    def ask(self, own: str, since: float, now: float, *, alone: bool) -> None:
        """Ensure that the cached encoder for subject `own` was fetched at `since` or later.

        With `alone`, only this subject is fetched, since listing all subjects may be slow. Without it, one listing
        refreshes every tenant. Propagates registry errors.
        """
        if alone and self._listed_at is not None:
            self._check(own, now)
        elif self._listed_at is None or self._listed_at < since:
            self._subjects = self.registry.subjects()
            self._listed_at = now
        subject = own if own in self._subjects else self._base
        known = self._encoders.get(subject)
        if known is None or known[0] < since:
            self._read(subject, now)
        self._uses.put(own, subject)

    def forget(self, own: str | None) -> None:
        """Mark the cached encoder of `own` as stale, or all encoders if it is None."""
        if self._listed_at is not None:
            self._listed_at = -math.inf
        for subject in self._encoders.keys() if own is None else [own]:
            self._checked.pop(subject)
            if known := self._encoders.get(subject):
                self._encoders.put(subject, (-math.inf, known[1]))

    def after_fork(self, registry: Registry) -> None:
        """Keep the cache in a forked child, but replace its locks."""
        self.registry = registry
        for cache in (self._checked, self._encoders, self._uses):
            cache.after_fork()

    def _check(self, own: str, now: float) -> None:
        try:
            self._read(own, now)
            self._subjects |= {own}
        except SchemaNotFound:
            self._subjects -= {own}
        self._checked.put(own, now)

    def _read(self, subject: str, now: float) -> None:
        latest = self._newest_base() if subject == self._base else self.registry.latest(subject)
        known = self._encoders.get(subject)
        if known is not None and known[1].schema_id == latest.schema_id:
            encoder = known[1]
        else:
            encoder = Encoder.parse(subject, latest.schema_id, latest.schema)
        self._encoders.put(subject, (now, encoder))

    def _newest_base(self) -> Version:
        """Return the newest version of the base event that has all fields. The search runs once per
        latest version.
        """
        latest = self.registry.latest(self._base)
        if self._complete is None or self._complete[0] != latest.schema_id:
            complete = newest_complete(self.registry, self._base) if missing_base_fields(latest.schema) else latest
            self._complete = latest.schema_id, complete
        return self._complete[1]
