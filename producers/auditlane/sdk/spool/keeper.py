"""The spool's background thread: writes events that stall, sends those on disk, and reports losses and delays."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from auditlane.runtime.errors import AuditlaneError, ClientClosed, InvalidEvent, RegistryRefused, RegistryUnavailable
from auditlane.runtime.ids import uuid7
from auditlane.sdk.logs import log_later
from auditlane.sdk.spool import folder
from auditlane.sdk.spool.adoption import Adoption
from auditlane.sdk.spool.delays import DELAYED_S, Change, Delays
from auditlane.sdk.spool.losses import REASONS, REJECTED, Loss, time_of
from auditlane.sdk.spool.record_set import RecordSet
from auditlane.sdk.spool.sender import SpoolSender

TICK_S: Final = 0.2
_LOOK_S: Final = 1.0  # interval of looks for other processes' sets
_SYNC_S: Final = 1.0
_RELEASE_S: Final = 1.0  # interval of checks whether held tenants' contracts are available
_COUNT_S: Final = 10.0  # interval of counting the files set aside
_CHANGE_S: Final = 30.0  # how long a set that waits only for contracts stays adopted while other sets wait
_REPEAT_S: Final = 30.0  # interval of log messages about the same problem
# Outcome and severity, as in the vocabulary, which the SDK does not import.
RESULTS: Final = {
    "events.dropped": ("failure", "Critical"),
    "delivery.delayed": ("failure", "Medium"),
    "delivery.recovered": ("success", "Info"),
}


@dataclass(frozen=True, slots=True)
class OwnEvent:
    """An event about the delivery, for a tenant's log."""

    tenant: str
    action: str
    metadata: Mapping[str, str]
    event_id: str
    occurred_at: datetime

    def values(self, source: str) -> dict[str, Any]:
        """Return the event's fields. `source` is the service's source."""
        outcome, severity = RESULTS[self.action]
        values: dict[str, Any] = {
            "event_id": self.event_id,
            "tenant_id": self.tenant,
            "occurred_at": self.occurred_at,
            "action": self.action,
            "outcome": outcome,
            "severity": severity,
            "actor_type": "system",
            "resource": "service",
            "metadata": dict(self.metadata),
        }
        if source:
            values |= {"source": source, "resource_id": source}
        return values


Emit = Callable[[OwnEvent], None]
"""Writes an event to disk, and sends it. Raises InvalidEvent if the tenant's contract rejects it; AuditlaneError."""


class SpoolKeeper:
    """The background thread. It runs until `stop` is called."""

    def __init__(self, sender: SpoolSender, emit: Emit, spool_dir: Path, catch_all_tenant: str, *, sync: bool) -> None:
        self._sender = sender
        self._emit = emit
        self._folder = spool_dir
        self._catch_all = catch_all_tenant
        self._sync = sync
        self._adoption = Adoption(spool_dir)
        self._delays = Delays()
        self._looked_at = self._synced_at = self._logged_at = self._released_at = self._adopted_at = 0.0
        self._counted_at = -_COUNT_S
        self._unreported: list[OwnEvent] = []  # about delays
        self._emitted: set[tuple[str, Loss]] = set()  # reported losses of files with others that cannot be reported yet
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="auditlane-spool", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop the thread."""
        self._stopping = True
        self._sender.wake.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        wake = self._sender.wake
        while not self._stopping:
            wake.wait(TICK_S)
            wake.clear()
            try:
                self._turn(time.monotonic(), time.time_ns() // 1_000)
            except ClientClosed:
                return
            except Exception as error:  # the thread must survive every error
                self._log(error)

    def _turn(self, now: float, now_us: int) -> None:
        sender = self._sender
        try:
            sender.sweep(now, now_us)
        except AuditlaneError as error:
            self._log(error)
        if sender.held and now - self._released_at >= _RELEASE_S:
            self._released_at = now
            sender.release()
        sender.fill(now)
        for problem in list(sender.held.values())[:1]:
            self._log(problem)
        sender.reclaim()
        if self._sync and now - self._synced_at >= _SYNC_S:
            self._synced_at = now
            sender.sync()
        if now - self._looked_at >= _LOOK_S:
            self._looked_at = now
            self._look(now)
        try:
            sender.take_losses()
        except AuditlaneError as error:
            self._log(error)
        self._finish_adopted()
        if (own := sender.own) is not None:
            changes = self._delays.changes(own.ledger, sender.delayed(now, DELAYED_S), now, now_us)
            self._unreported += [_delay_event(change, now_us) for change in changes]
        self._report_all()

    def _report_all(self) -> None:
        """Emit the events about losses and delays. Those that cannot be emitted now are retried later."""
        kept: dict[str, list[OwnEvent]] = {}
        try:
            while self._unreported:
                event = self._unreported[0]
                if event.tenant in kept or not self._is_emitted(event):
                    kept.setdefault(event.tenant, []).append(event)
                del self._unreported[0]
        finally:
            self._unreported = [*(event for events in kept.values() for event in events), *self._unreported]
        for found in (self._sender.own, self._sender.adopted):
            if found is not None and found.losses:
                self._report_losses(found)

    def _look(self, now: float) -> None:
        """Take over the oldest set whose process has ended, and measure the others.

        A set that waits only for contracts is left to another process or a later look, so that it does not block other
        sets.
        """
        sender = self._sender
        own = sender.own.path if sender.own is not None else None
        sender.others_bytes = self._adoption.size(own)
        if now - self._counted_at >= _COUNT_S:
            self._counted_at = now
            sender.set_aside = folder.count_set_aside(self._folder)
        adopted = sender.adopted
        is_stuck = adopted is not None and adopted.ledger.held == adopted.ledger.open
        if adopted is not None and not (is_stuck and now - self._adopted_at >= _CHANGE_S):
            return
        if (found := self._adoption.oldest(own)) is not None:
            self._adopted_at = now
            with sender.entered():
                sender.adopted = found
                if adopted is not None:
                    adopted.leave()
            sender.fill(now)

    def _finish_adopted(self) -> None:
        """Delete an adopted set once Kafka has its records, and look for the next one."""
        adopted = self._sender.adopted
        if adopted is not None and not adopted.ledger.open and not adopted.losses:
            with self._sender.entered():
                self._sender.adopted = None
                adopted.leave()
            self._looked_at = 0.0
            self._sender.wake.set()

    def _report_losses(self, found: RecordSet) -> None:
        """Emit an event for each loss in a record set. A file is deleted once all of its losses are reported."""
        for name, losses in list(found.losses.items()):
            path = f"{found.path.name}/{name}"
            for loss in losses:
                if (path, loss) not in self._emitted and self._is_emitted(_loss_event(path, loss)):
                    self._emitted.add((path, loss))
            reported = {(path, loss) for loss in losses}
            if not reported <= self._emitted:
                continue
            self._emitted -= reported
            with self._sender.entered():
                found.reported(name)
                for loss in losses:
                    self._sender.dropped[REASONS.get(loss.cause, REJECTED)] += loss.count

    def _is_emitted(self, event: OwnEvent) -> bool:
        """Emit an event. Returns False if its tenant's contract is not available, which concerns no other tenant."""
        if event.tenant in self._sender.held:
            return False
        try:
            self._emit_or_assign(event)
        except (RegistryUnavailable, RegistryRefused) as error:
            self._log(error)
            return False
        return True

    def _emit_or_assign(self, event: OwnEvent) -> None:
        """Emit an event for its tenant or, if that fails, for the catch-all tenant."""
        metadata = event.metadata
        if event.tenant:
            try:
                self._emit(event)
                return
            except InvalidEvent as error:
                log_later(logging.ERROR, "%s cannot be recorded for its tenant: %s", event.action, error)
            metadata = {**metadata, "tenant": event.tenant}
        try:
            self._emit(OwnEvent(self._catch_all, event.action, metadata, event.event_id, event.occurred_at))
        except InvalidEvent as error:
            log_later(logging.ERROR, "%s %s cannot be recorded: %s", event.action, dict(metadata), error)

    def _log(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._logged_at >= _REPEAT_S or not self._logged_at:
            self._logged_at = now
            known = isinstance(error, AuditlaneError)
            log_later(logging.ERROR, "The spool in %s: %s", self._folder, error, error=None if known else error)


def _loss_event(name: str, loss: Loss) -> OwnEvent:
    at = time_of(min(loss.until_us, time.time_ns() // 1_000))
    return OwnEvent(loss.tenant, "events.dropped", loss.metadata(), loss.event_id(name), at)


def _delay_event(change: Change, now_us: int) -> OwnEvent:
    return OwnEvent(change.tenant, change.action, change.metadata(), uuid7(), time_of(now_us))
