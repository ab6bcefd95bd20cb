"""Metrics of the service's streams, export jobs, spool, audit trail and credentials, updated before each scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from threading import Lock
from typing import Final, get_args

from auditlane.access.keys import KeysFile
from auditlane.access.signing import SigningKeys
from auditlane.query.export.jobs.record import State
from auditlane.query.export.jobs.runner import JobFigures
from auditlane.runtime.instruments import Instruments
from auditlane.sdk import SpoolStats
from auditlane.sdk.spool.losses import REASONS, REJECTED
from auditlane.trail.sink import ServiceAuditSink

_DROPPED: Final = "auditlane_ingest_spool_dropped_total"
_SENT: Final = "sent"
_WAITING: Final[tuple[State, ...]] = ("queued", "running")


def trail(made: Instruments, sink: ServiceAuditSink) -> Callable[[], None]:
    """Create the gauges of the service's own audit events, and return the function that sets them."""
    waiting, spooled = made.gauge("auditlane_trail_waiting_events"), made.gauge("auditlane_trail_spool_bytes")

    def measure() -> None:
        waiting.set(sink.waiting or 0)
        spooled.set(sink.spooled_bytes)

    return measure


def ingest_spool(made: Instruments, stats: Callable[[], SpoolStats | None]) -> Callable[[], None]:
    """Create the metrics of the gateway's spool, and return the function that updates them."""
    size, limit = made.gauge("auditlane_ingest_spool_bytes"), made.gauge("auditlane_ingest_spool_limit_bytes")
    events, oldest = made.gauge("auditlane_ingest_spool_events"), made.gauge("auditlane_ingest_spool_oldest_seconds")
    set_aside = made.gauge("auditlane_ingest_spool_set_aside_files")
    sent, dropped = made.counter("auditlane_ingest_spool_sent_total"), made.counter(_DROPPED)
    counted: Counter[str] = Counter()
    lock = Lock()  # a scrape and the regular measurement may coincide
    for reason in (*REASONS.values(), REJECTED):
        dropped.labels(reason)

    def measure() -> None:
        found = stats() or SpoolStats()
        size.set(found.size)
        limit.set(found.limit)
        events.set(found.events)
        oldest.set(found.oldest_s)
        set_aside.set(found.set_aside)
        with lock:
            new = Counter(found.dropped) + Counter({_SENT: found.sent}) - counted
            counted.update(new)
        sent.inc(new.pop(_SENT, 0))
        for reason, count in new.items():
            dropped.labels(reason).inc(count)

    return measure


def streams(made: Instruments, count: Callable[[], int]) -> Callable[[], None]:
    """Create the gauge of live streams, and return the function that sets it."""
    gauge = made.gauge("auditlane_streams_open")
    return lambda: gauge.set(count())


def export_jobs(made: Instruments, figures: Callable[[], Mapping[State, JobFigures]]) -> Callable[[], None]:
    """Create the gauges of export jobs, and return the function that sets them."""
    jobs, age = made.gauge("auditlane_export_jobs"), made.gauge("auditlane_export_job_age_seconds")

    def measure() -> None:
        found, now = figures(), datetime.now(UTC)
        for state in get_args(State):
            jobs.labels(state).set(found[state].jobs if state in found else 0)
        for state in _WAITING:
            age.labels(state).set((now - found[state].oldest).total_seconds() if state in found else 0.0)

    return measure


def credentials(made: Instruments, keys: KeysFile, signing: SigningKeys) -> Callable[[], None]:
    """Create the gauges of the key files, and return the function that sets them."""
    stale, written = made.gauge("auditlane_credentials_stale"), made.gauge("auditlane_credentials_timestamp_seconds")

    def measure() -> None:
        for name, file in (("keys", keys), ("signing-keys", signing)):
            stale.labels(name).set(bool(file.problem))
            written.labels(name).set(file.modified_at)

    return measure
