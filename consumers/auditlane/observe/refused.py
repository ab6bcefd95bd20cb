"""Counts rejected messages by hour, and reports each hour when it is over. Performs no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from auditlane.access.audit import AuditRecord
from auditlane.contract.tenants import is_tenant
from auditlane.observe.events import event, rfc3339_ms
from auditlane.observe.measurements import Refusal, Rejected
from auditlane.observe.state import Counted, Letters

HOUR_MS: Final = 3_600_000
MOST: Final = 1_000  # maximum number of counts; beyond it, tenants are counted together
_LATE_MS: Final = 60_000  # delay after which an hour is reported, since clocks differ


def hour_of(at_ms: int) -> int:
    """Return the hour of a wall-clock time, counted from 1970."""
    return at_ms // HOUR_MS


def take(known: Letters | None, found: Rejected, now_ms: int) -> tuple[Letters, list[AuditRecord]]:
    """Add the dead letters of one check, and return events for the hours that are over.

    The first check only records the positions, since earlier letters were not observed.
    """
    if known is None:
        return Letters(positions=dict(found.positions)), []
    counts = {one.refusal: one.count for one in known.counts}
    for refusal, count in found.counts.items():
        add(counts, refusal, count)
    due = over(counts, now_ms) if found.complete else {}
    kept = tuple(Counted(refusal=one, count=count) for one, count in counts.items() if one not in due)
    return Letters(positions=dict(found.positions), counts=kept), events(due)


def add(counts: dict[Refusal, int], refusal: Refusal, count: int) -> None:
    """Increase a count. If there are too many counts, tenants are no longer distinguished."""
    if refusal not in counts and len(counts) >= MOST:
        refusal = refusal._replace(tenant=None)
    counts[refusal] = counts.get(refusal, 0) + count


def over(counts: Mapping[Refusal, int], now_ms: int) -> dict[Refusal, int]:
    """Return the counts for hours that are over."""
    return {refusal: count for refusal, count in counts.items() if refusal.hour < hour_of(now_ms - _LATE_MS)}


def events(counts: Mapping[Refusal, int], *, via: str = "kafka", instance: str = "") -> list[AuditRecord]:
    """Return one event per count, with the end of its hour as the time. A count with a tenant has one event for
    `_auditlane` and one for the tenant.
    """
    return [
        event(
            "events.refused",
            one.topic,
            at_ms=(one.hour + 1) * HOUR_MS,
            tenant=one.tenant if one.tenant and is_tenant(one.tenant) else None,
            metadata={
                "code": one.code,
                "count": count,
                "since": rfc3339_ms(one.hour * HOUR_MS),
                "until": rfc3339_ms((one.hour + 1) * HOUR_MS),
                "via": via,
                **({"instance": instance} if instance else {}),
            },
        )
        for one, count in sorted(Counter(counts).items(), key=lambda item: (item[0].hour, -item[1], item[0].code))
    ]
