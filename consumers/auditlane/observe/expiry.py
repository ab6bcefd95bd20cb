"""Decides which certificates and keys are about to expire, and which were renewed. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from auditlane.access.audit import AuditRecord
from auditlane.observe.events import event, rfc3339
from auditlane.observe.measurements import Expiry

_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"))


def check(
    known: Mapping[str, datetime],
    found: Sequence[Expiry],
    *,
    unread: tuple[str, ...] = (),
    within: timedelta,
    now: datetime,
) -> tuple[dict[str, datetime], list[AuditRecord]]:
    """Compare the certificates and keys with those about to expire at the last check.

    Returns those now about to expire, by kind and name, and the events. A certificate or key is about to expire when
    less than `within` remains, and less than a third of its lifetime, if known. Keys that have already expired are not
    reported, since they may no longer be in use. An entry whose kind and name begin with one of `unread` is kept even
    if it was not found.
    """
    names = {f"{one.kind}:{one.name}" for one in found}
    expiring = {name: at for name, at in known.items() if name not in names and name.startswith(unread)}
    events: list[AuditRecord] = []
    at_ms = int(now.timestamp() * 1_000)
    for one in found:
        name = f"{one.kind}:{one.name}"
        left = one.at - now
        soon = left < _limit(one, within)
        if soon and (name in known or one.kind == "certificate" or left > timedelta(0)):
            expiring[name] = one.at
        if name in expiring and name not in known:
            grave = left < _limit(one, within) / 4
            events.append(
                event(
                    f"{one.kind}.expiring",
                    one.name,
                    at_ms=at_ms,
                    severity="High" if grave else None,
                    tenant=one.tenant,
                    metadata={"at": rfc3339(one.at), "left": duration(left)},
                )
            )
        elif name in known and not soon:
            metadata = {"at": rfc3339(one.at), "left": duration(left)}
            events.append(event(f"{one.kind}.renewed", one.name, at_ms=at_ms, tenant=one.tenant, metadata=metadata))
    return expiring, events


def duration(left: timedelta) -> str:
    """Format a remaining time in one unit, as in `6 days`, `20 minutes` or `expired`."""
    seconds = left.total_seconds()
    if seconds <= 0:
        return "expired"
    size, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    count = int(seconds // size)
    return f"{count} {unit}{'s' * (count != 1)}"


def _limit(one: Expiry, within: timedelta) -> timedelta:
    return within if one.since is None else min(within, (one.at - one.since) / 3)
