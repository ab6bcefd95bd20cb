"""Makes one check. It turns the previous state and new measurements into the next state, events, and a row for the
history. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from auditlane.access.audit import AuditRecord
from auditlane.observe import expiry, refused, schemas
from auditlane.observe.conditions import Checks, Policy
from auditlane.observe.measurements import Disk, Measurements, TopicLag
from auditlane.observe.state import ObserverState, Window

RECENT: Final = timedelta(minutes=10)
MOST_RECENT: Final = 100
MINUTE_MS: Final = 60_000
_STALE_WINDOWS: Final = 5  # a window this many times longer than its interval was left by an observer that ended


@dataclass(frozen=True, slots=True)
class Minute:
    """A completed window of the history, from `since_ms` to `until_ms`, with its rates and maximum values."""

    since_ms: int
    until_ms: int
    received_per_second: float | None
    stored_per_second: float | None
    dead_letters: int | None
    lag_seconds: float | None
    lag_events: int | None
    disk_used_ratio: float | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of a check. `minute` is set if a window was completed."""

    state: ObserverState
    events: tuple[AuditRecord, ...]
    minute: Minute | None = None


def decide(
    state: ObserverState, found: Measurements, policy: Policy, *, now: datetime, expiry_within: timedelta
) -> Decision:
    """Apply the measurements of one check to the state. Missing measurements leave the state unchanged."""
    now_ms = int(now.timestamp() * 1_000)
    checks = Checks(state.conditions, policy, now_ms)
    changes: dict[str, Any] = {}
    events: list[AuditRecord] = []
    if found.topics is not None:
        checks.lag(found.topics)
        changes["circuits"] = checks.circuits(found.topics, state.circuits)
    if found.disks is not None:
        checks.disks(found.disks, complete=found.all_disks)
    if found.rejected is not None:
        changes["letters"], refusals = refused.take(state.letters, found.rejected, now_ms)
        events += refusals
    if found.expiries is not None:
        changes["expiring"], soon = expiry.check(
            state.expiring, found.expiries, unread=found.unread, within=expiry_within, now=now
        )
        events += soon
    noticed = [*state.noticed]
    if found.subjects is not None:
        changes["subjects"], new = schemas.compare(policy.topic, state.subjects, found.subjects, found.versions, now_ms)
        noticed += new
    changes["noticed"], registered = schemas.settle(
        policy.topic, noticed, found.recorded, behind_s=_lag(found.topics), now_ms=now_ms
    )
    events += registered
    window, minute = _window(state.window, found, now_ms)
    events = [*checks.events, *events]
    recent = [one for one in state.recent if one.occurred_at is None or now - one.occurred_at < RECENT]
    changes |= {
        "conditions": checks.after,
        "window": window,
        "recent": tuple([*recent, *events][-MOST_RECENT:]),
    }
    return Decision(state.model_copy(update=changes), tuple(events), minute)


def _window(before: Window | None, found: Measurements, now_ms: int) -> tuple[Window, Minute | None]:
    """Return the window after a check, and the completed window if the minute has changed."""
    letters = None if found.rejected is None else sum(found.rejected.counts.values())
    lag_seconds, lag_events, used = _lag(found.topics), _events(found.topics), _used(found.disks)
    begun = Window(
        since_ms=now_ms,
        received=found.received,
        completed=found.completed,
        letters=letters,
        lag_seconds=lag_seconds,
        lag_events=lag_events,
        disk_used_ratio=used,
    )
    if before is None or now_ms - before.since_ms > _STALE_WINDOWS * MINUTE_MS or now_ms < before.since_ms:
        return begun, None
    window = before.model_copy(
        update={
            "letters": _sum(before.letters, letters),
            "lag_seconds": _highest(before.lag_seconds, lag_seconds),
            "lag_events": _highest(before.lag_events, lag_events),
            "disk_used_ratio": _highest(before.disk_used_ratio, used),
        }
    )
    if now_ms // MINUTE_MS == before.since_ms // MINUTE_MS:
        return window, None
    seconds = (now_ms - before.since_ms) / 1_000
    minute = Minute(
        before.since_ms,
        now_ms,
        _rate(before.received, found.received, seconds),
        _rate(before.completed, found.completed, seconds),
        window.letters,
        window.lag_seconds,
        window.lag_events,
        window.disk_used_ratio,
    )
    return begun.model_copy(update={"letters": None}), minute


def started(minute: Minute) -> datetime:
    return datetime.fromtimestamp(minute.since_ms // MINUTE_MS * 60, UTC)


def _rate(before: int | None, after: int | None, seconds: float) -> float | None:
    """Return the growth of a total per second, or None if it is unknown or a topic was recreated."""
    return None if before is None or after is None or after < before else (after - before) / seconds


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else one + other


N = TypeVar("N", int, float)


def _highest(one: N | None, other: N | None) -> N | None:
    return one if other is None else other if one is None else max(one, other)


def _lag(topics: Mapping[str, TopicLag] | None) -> float | None:
    return None if topics is None else max((one.seconds for one in topics.values()), default=0.0)


def _events(topics: Mapping[str, TopicLag] | None) -> int | None:
    return None if topics is None else sum(one.events for one in topics.values())


def _used(disks: Mapping[str, Disk] | None) -> float | None:
    return max((1 - one.free_ratio for one in disks.values()), default=None) if disks else None
