"""Which schema a tenant's events are written with: a thread asks the registry, so that no emitter hangs on it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final

from auditlane.contract.incomplete_versions import lacking, newest_whole
from auditlane.contract.registry_reader import Registry, Version
from auditlane.contract.tenants import base_subject, tenant_subject
from auditlane.runtime.errors import AuditlaneError, RegistryUnavailable, SchemaNotFound
from auditlane.runtime.lru_cache import LruCache
from auditlane.sdk.encoding import Encoder
from auditlane.sdk.logs import quiet, say
from auditlane.sdk.outage import Away, Back, Outage

RETRY_S: Final = 1.0  # a registry that just failed is not asked again before
TRY_S: Final = 0.1  # how long an emitter waits for a registry that failed before
RECHECK_S: Final = 1.0  # how often a tenant's refused events may ask anew, and how long they wait for the answer


class SchemaMayBeStale(Exception):
    """Raised when the cached contract of a tenant rejects an event and may be stale: ask the registry first."""


class SchemaResolver:
    """`encoder(tenant)` answers from what is known, however old; one thread at a time asks the registry.

    What was never known is waited for: `wait_s` at most, and once the registry has failed TRY_S every RETRY_S, until it
    answers. What is known is refreshed after `refresh_s` while the old answer stands; before an event is refused by it,
    `refreshed` asks. Thread-safe.
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
        self._wanted: dict[str, float] = {}  # subjects to ask for, in their order, and since when an answer may be
        # By tenant's subject: when a refused event asked for it last.
        self._rechecked_at: LruCache[str, float] = LruCache(KEPT_TENANTS)
        self._changed_at: LruCache[str, float] = LruCache(KEPT_TENANTS)  # by tenant's subject: when somebody said so
        self._waited_at: LruCache[str, float] = LruCache(KEPT_TENANTS)  # … and when an emitter waited for it in vain
        self._fetcher: threading.Thread | None = None
        self._asking = False
        self._outage = Outage()
        # What the last question came to when it was not an answer, and when to ask again: of the registry as a whole
        # under "", else of the subject that it refused.
        self._failed: LruCache[str, tuple[float, AuditlaneError]] = LruCache(KEPT_TENANTS)

    def prefetch(self) -> None:
        """Fetch the base contract in the background, so that the first emitter waits less."""
        with self._changed:
            self._want(self._base, self._clock() - self._refresh_s)

    def encoder(self, tenant: str) -> Encoder:
        """Raises RegistryUnavailable or RegistryRefused when nothing is known yet and the registry does not help."""
        own = tenant_subject(self._topic, tenant)
        if (known := self._cache.of(own)) is None:
            return self._awaited(own)
        asked_at, encoder = known
        now = self._clock()
        if self._is_said_old(own, known, now):
            return self._fresh(own, encoder)
        if now - asked_at > self._refresh_s and not ((failed := self._failure(own)) and now < failed[0]):
            with self._changed:
                self._want(own, now - self._refresh_s)
        return encoder

    def refreshed(self, tenant: str, refused_by: Encoder, *, may_ask: bool = True) -> Encoder | None:
        """What the tenant's events are written with by now; None when that is `refused_by`, or cannot be known.

        With `may_ask` it waits for the registry: of a tenant's refused events one in DOUBT_S asks, and none waits
        longer than that.
        """
        own = tenant_subject(self._topic, tenant)
        with self._changed:
            now, failed = self._clock(), self._failure(own)
            if may_ask and self._may_ask(own, now):
                self._rechecked_at.put(own, now)
                self._want(own, now)
                self._wanted = {own: now} | self._wanted  # before those that nobody waits for
            if may_ask and own in self._wanted:
                patience = TRY_S if failed else self._rechecked_at.get(own, now) + RECHECK_S - now
                self._changed.wait_for(lambda: own not in self._wanted, max(min(patience, self._wait_s), 0.0))
            known = self._cache.of(own)
        return known[1] if known and known[1] is not refused_by else None

    def may_be_stale(self, tenant: str) -> bool:
        """Whether `refreshed` would wait for the registry."""
        own = tenant_subject(self._topic, tenant)
        return own in self._wanted or self._may_ask(own, self._clock())

    def forget(self, tenant: str | None) -> None:
        """Somebody says that the tenant's contract was changed just now; None: every tenant's.

        A tenant's event that would be written with the base event waits for the answer, for DOUBT_S at most: where the
        tenant has an exclusive contract by now, a worker would refuse it.
        """
        own = None if tenant is None else tenant_subject(self._topic, tenant)
        with self._changed:
            self._cache.forget(own)
            if own is not None:
                self._changed_at.put(own, self._clock())
            for subject in self._rechecked_at.keys() if own is None else [own]:
                self._rechecked_at.pop(subject)

    def knows(self, tenant: str) -> bool:
        """Whether `encoder` would answer at once."""
        own = tenant_subject(self._topic, tenant)
        known = self._cache.of(own)
        return known is not None and not self._is_said_old(own, known, self._clock())

    def close(self) -> None:
        self._cache.registry.close()

    def wait_until_idle(self, timeout_s: float) -> None:
        """Before a fork: let a question end, as the child would wait for ever for what its thread has locked."""
        if self._changed.acquire(timeout=timeout_s):  # whoever holds it for longer is not what is waited for
            try:
                self._changed.wait_for(lambda: not self._asking, timeout_s)
            finally:
                self._changed.release()

    def after_fork(self, registry: Registry) -> None:
        """In a forked child: keep what is known, drop the parent's locks, sockets and thread."""
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

    def _is_said_old(self, own: str, known: tuple[float, Encoder], now: float) -> bool:
        """Whether the base event is known from before a change that somebody told of, and the answer not waited for."""
        changed_at = self._changed_at.get(own)
        if changed_at is None or known[1].subject != self._base:
            return False
        if max(known[0], self._waited_at.get(own, -math.inf)) >= changed_at:
            return False
        failed = self._failure(own)
        return not (failed and now < failed[0])

    def _fresh(self, own: str, old: Encoder) -> Encoder:
        """What is known since the change; the old one where the registry does not answer soon."""
        with self._changed:
            now = self._clock()
            self._want(own, now)
            self._wanted = {own: self._wanted[own]} | self._wanted  # before those that nobody waits for
            if not self._changed.wait_for(lambda: own not in self._wanted, min(RECHECK_S, self._wait_s)):
                self._waited_at.put(own, now)
            known = self._cache.of(own)
        return known[1] if known else old

    def _failure(self, own: str) -> tuple[float, AuditlaneError] | None:
        return self._failed.get("") or self._failed.get(own)

    def _may_ask(self, own: str, now: float) -> bool:
        """Whether a refused event may ask anew."""
        failed = self._failure(own)
        return now - self._rechecked_at.get(own, -math.inf) >= RECHECK_S and not (failed and now < failed[0])

    def _awaited(self, own: str) -> Encoder:
        with self._changed:
            patience = self._wait_s
            if failed := self._failure(own):
                retry_at, error = failed
                if self._clock() < retry_at:
                    raise error
                self._fail(own, error)  # this emitter tries; the others go on failing at once
                patience = min(patience, TRY_S)
            self._want(own, self._clock() - self._refresh_s)
            if threading.current_thread() is self._fetcher:
                raise self._explained(RegistryUnavailable("The event was emitted by what asks it, which cannot wait."))
            asked = self._changed.wait_for(lambda: own not in self._wanted, patience)
            if (known := self._cache.of(own)) is not None:
                return known[1]
            if asked and (failed := self._failure(own)):
                raise failed[1]
            late = RegistryUnavailable(f"It did not answer within {patience:g} s.")
            raise self._fail(own, self._explained(late))

    def _want(self, own: str, since: float) -> None:
        """With the lock held: an answer that was asked for at `since` or later."""
        self._wanted[own] = max(since, self._wanted.get(own, -math.inf))
        if self._fetcher is None:
            # Two may start where a signal handler interrupts this: the first that runs fetches.
            threading.Thread(target=self._fetch_wanted, name="auditlane-contracts", daemon=True).start()

    def _fail(self, own: str, error: AuditlaneError) -> AuditlaneError:
        """With the lock held; returns the error. A registry that is away is away for everybody."""
        about = "" if isinstance(error, RegistryUnavailable) else own
        self._failed.put(about, (self._clock() + RETRY_S, error))
        return error

    def _fetch_wanted(self) -> None:
        """Ask until nothing is wanted any more. What fails is given up, for whoever wants it later to try again."""
        with self._changed:
            if self._fetcher is not None:
                return
            self._fetcher = threading.current_thread()
        try:
            while self._ask_next():
                pass
        except BaseException:
            self._fetcher = None  # the next emitter starts another thread
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
            self._changed.notify_all()
        return True

    def _settle(self, own: str, failed: AuditlaneError | None, began: float) -> None:
        """With the lock held. Whoever wants a later answer than this one is asked for again."""
        if failed is None or not isinstance(failed, RegistryUnavailable):
            self._failed.pop("")  # it answers
            self._failed.pop(own)
            if failed is not None or self._wanted.get(own, -math.inf) <= began:
                self._wanted.pop(own, None)
        else:
            self._wanted.clear()
        if failed is not None:
            if isinstance(failed, RegistryUnavailable):
                self._outage.suspect(str(failed), began)
                self._say(self._outage.gone(began))
            elif self._cache.of(own) is not None:
                say(logging.WARNING, "a contract is not refreshed, the known one goes on: %s", failed)
            self._fail(own, self._explained(failed))
        if not isinstance(failed, RegistryUnavailable):
            self._say(self._outage.works(began))

    def _say(self, what: Away | Back | None) -> None:
        if isinstance(what, Away):
            since = f" It has been away for {what.for_s:.0f} s." if what.for_s else ""
            say(logging.WARNING, "contracts are not refreshed, the known ones go on: %s%s", what.reason, since)
        elif what is not None:
            say(logging.WARNING, "the schema registry is back after %.0f s", what.after_s)

    def _explained(self, error: AuditlaneError) -> AuditlaneError:
        if isinstance(error, RegistryUnavailable):
            return RegistryUnavailable(
                f"The first event of a contract needs the schema registry, and it is away: {error.message}",
                fix=error.fix or "Start it, or correct AUDITLANE_REGISTRY_URL. Nothing was sent; emit again.",
            )
        if isinstance(error, SchemaNotFound):
            return SchemaNotFound(
                f"The registry holds no schema for the topic {self._topic}: {error.message}",
                fix="Run `auditlane init`, or correct AUDITLANE_TOPIC and AUDITLANE_REGISTRY_URL.",
            )
        return error


KEPT_TENANTS: Final = 20_000
KEPT_CHARACTERS: Final = 16 << 20  # of the texts of schemas that are known; some 5,000 of the base event's size


class SchemaCache:
    """Keyed by tenant subject (`own`), whether or not it exists. Timestamps are the caller's clock at request time.

    One thread may `ask` while others read.
    """

    def __init__(self, registry: Registry, base: str) -> None:
        self.registry = registry
        self._base = base
        self._subjects: frozenset[str] = frozenset()
        self._listed_at: float | None = None
        # What is not kept any more is asked for again, as if it had never been known.
        self._whole: tuple[int, Version] | None = None  # (the latest base event's id, what is written with)
        self._looked: LruCache[str, float] = LruCache(KEPT_TENANTS)  # own -> when it was asked for by itself
        self._encoders: LruCache[str, tuple[float, Encoder]] = LruCache(
            KEPT_CHARACTERS, weight=lambda known: known[1].size
        )
        self._uses: LruCache[str, str] = LruCache(KEPT_TENANTS)  # own -> the subject that its events are written with

    def of(self, own: str) -> tuple[float, Encoder] | None:
        """(since when nothing was asked again, the encoder). A tenant keeps its contract until another one is known."""
        right = own if own in self._subjects else self._base
        used = self._uses.get(own)
        known = self._encoders.get(used or right)
        if self._listed_at is None or known is None:
            return None
        if used is None:
            used = right
            self._uses.put(own, right)
        asked_at, encoder = known
        looked_at = max(self._listed_at, self._looked.get(own, -math.inf))
        return min(asked_at, looked_at) if used == right else -math.inf, encoder

    def ask(self, own: str, since: float, now: float, *, alone: bool) -> None:
        """Learn what own's events are written with, as it was at `since` or later. Raises what the registry raises.

        `alone` asks for this subject, as the list of all may be long; a list serves all tenants.
        """
        if alone and self._listed_at is not None:
            self._look(own, now)
        elif self._listed_at is None or self._listed_at < since:
            self._subjects = self.registry.subjects()
            self._listed_at = now
        subject = own if own in self._subjects else self._base
        known = self._encoders.get(subject)
        if known is None or known[0] < since:
            self._read(subject, now)
        self._uses.put(own, subject)

    def forget(self, own: str | None) -> None:
        """What is known of this subject, for None of every one, is old from now on."""
        if self._listed_at is not None:
            self._listed_at = -math.inf
        for subject in self._encoders.keys() if own is None else [own]:
            self._looked.pop(subject)
            if known := self._encoders.get(subject):
                self._encoders.put(subject, (-math.inf, known[1]))

    def after_fork(self, registry: Registry) -> None:
        """In a forked child: keep what is known."""
        self.registry = registry
        for kept in (self._looked, self._encoders, self._uses):
            kept.after_fork()

    def _look(self, own: str, now: float) -> None:
        try:
            self._read(own, now)
            self._subjects |= {own}
        except SchemaNotFound:
            self._subjects -= {own}
        self._looked.put(own, now)

    def _read(self, subject: str, now: float) -> None:
        latest = self._newest_base() if subject == self._base else self.registry.latest(subject)
        known = self._encoders.get(subject)
        if known is not None and known[1].schema_id == latest.schema_id:
            encoder = known[1]
        else:
            encoder = Encoder.parse(subject, latest.schema_id, latest.schema)
        self._encoders.put(subject, (now, encoder))

    def _newest_base(self) -> Version:
        """The newest version of the base event that holds all of its fields; looked for once behind each latest one."""
        latest = self.registry.latest(self._base)
        if self._whole is None or self._whole[0] != latest.schema_id:
            whole = newest_whole(self.registry, self._base) if lacking(latest.schema) else latest
            self._whole = latest.schema_id, whole
        return self._whole[1]
