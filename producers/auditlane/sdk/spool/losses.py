"""Counts lost events by tenant, saves the counts in a file of the set, and reports them to the tenants' logs. Performs
no I/O.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from auditlane.runtime.ids import uuid5
from auditlane.sdk.spool.owner_file import Unsettled

KILLED: Final = "The process ended before Kafka acknowledged the events."
FULL: Final = "The spool was full."
DAMAGED: Final = "The spool's file was damaged."
REASONS: Final = {KILLED: "killed", FULL: "full", DAMAGED: "damaged"}
REJECTED: Final = "rejected"  # the reason for every other cause


@dataclass(frozen=True, slots=True)
class Loss:
    """Events that a tenant lost. Times are in microseconds since 1970. `tenant` is "" if unknown."""

    tenant: str
    count: int
    since_us: int
    until_us: int
    cause: str

    def event_id(self, name: str) -> str:
        """Return the id of the event that reports this loss. It depends only on the file and its set."""
        return uuid5("spool", name, self.tenant, self.cause)

    def metadata(self) -> dict[str, str]:
        """Return the metadata of the `events.dropped` event."""
        since, until = time_text(self.since_us), time_text(self.until_us)
        return {"count": str(self.count), "since": since, "until": until, "cause": self.cause}


def rejected_by(service: str) -> str:
    """Return the cause of events that a service would reject again."""
    return f"{service} rejected the events."


def time_text(us: int) -> str:
    """Format a time according to RFC 3339."""
    return time_of(us).isoformat().replace("+00:00", "Z")


def time_of(us: int) -> datetime:
    """Convert microseconds since 1970 to a datetime."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).replace(microsecond=us % 1_000_000)


def combined(losses: Iterable[Loss]) -> list[Loss]:
    """Combine the losses into one per tenant and cause."""
    found: dict[tuple[str, str], Loss] = {}
    for loss in losses:
        key = loss.tenant, loss.cause
        before = found.get(key)
        found[key] = loss if before is None else _sum(before, loss)
    return list(found.values())


def killed(counters: Iterable[Unsettled]) -> list[Loss]:
    """Return the events that a process lost when it was killed."""
    return [
        Loss(counter.tenant, count, counter.since_us, counter.until_us, KILLED)
        for counter in counters
        if (count := counter.emitted - counter.settled - counter.spilled) > 0
    ]


def dumped(losses: Iterable[Loss], saved: Mapping[int, int]) -> str:
    """Serialize losses for a file, and what `OwnerFile.saved` stores once the file exists."""
    rows: list[list[Any]] = [[loss.tenant, loss.count, loss.since_us, loss.until_us, loss.cause] for loss in losses]
    rows[0].append([*saved.items()])
    return json.dumps(rows)


def loaded(data: bytes) -> list[Loss]:
    """Parse a file's losses, or return an empty list if it is damaged."""
    try:
        rows = json.loads(data)
        return [Loss(str(row[0]), int(row[1]), int(row[2]), int(row[3]), str(row[4])) for row in rows]
    except (ValueError, TypeError, IndexError):
        return []


def loaded_saved(data: bytes) -> dict[int, int]:
    """Parse what `OwnerFile.saved` stores, or return an empty dict if a file is damaged or has been written by an
    earlier version.
    """
    try:
        return {int(slot): int(count) for slot, count in json.loads(data)[0][5]}
    except (ValueError, TypeError, LookupError):
        return {}


def _sum(one: Loss, other: Loss) -> Loss:
    since, until = min(one.since_us, other.since_us), max(one.until_us, other.until_us)
    return replace(one, count=one.count + other.count, since_us=since, until_us=until)
