"""Decides where the group continues in a halted partition after an operator has accepted that messages are lost."""

from __future__ import annotations

from dataclasses import dataclass

from auditlane.contract.intent import Intent, UnknownIntent, decode
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts
from auditlane.runtime.errors import ConfigError, Conflict

ASIDE = "docs/operate/workers.md#a-truncated-log"


@dataclass(frozen=True, slots=True)
class Loss:
    """An accepted loss. The group continues at `to` instead of `first`.

    `metadata` is committed with the offset. It tells the workers to compare ranges that may have been attempted before
    with the store, so that nothing is stored twice.
    """

    partition: Partition
    topic_id: str
    first: int
    to: int
    metadata: str

    @property
    def offsets(self) -> int:
        """The number of lost offsets."""
        return max(0, self.to - self.first)


def plan(found: AssignmentFacts, to: int, *, highest: int | None, at_ms: int) -> Loss:
    """Plan to continue at `to`. `highest` is the highest offset stored for the partition.

    Raises ConfigError if `to` is out of range or would skip messages that Kafka still holds. Raises Conflict if lost
    messages were stored under offsets that Kafka will assign again.
    """
    at, intent = found.partition, _intent(found)
    if not found.low <= to <= found.high:
        raise ConfigError(
            f"--to {to} is outside {at}, which starts at offset {found.low} and ends before {found.high}.",
            field="--to",
            fix="Use the offset in the worker's message.",
        )
    first = _first(found, intent)
    held = max(first, found.low)
    if to > held:
        raise ConfigError(
            f"{at}: Kafka still holds offsets {held}-{to - 1}, which the workers can store.",
            field="--to",
            fix=f"Use --to {held}.",
        )
    pending = intent if intent is not None and intent.pending and intent.topic_id == found.topic_id else None
    again = pending is not None and pending.first is not None and to <= pending.first
    reused = to if again else found.high
    if highest is not None and highest >= reused:
        raise Conflict(
            f"{at}: the store holds rows with offsets {reused}-{highest}, which Kafka will assign again: "
            "new messages at these offsets would be taken for stored ones.",
            fix=f"Move those rows to another table first: {ASIDE}.",
        )
    recheck_below = max(found.high, first, (highest or 0) + 1, (pending.last or 0) + 1 if pending else 0)
    return Loss(
        at, found.topic_id, first, to, Intent(found.topic_id, at_ms=at_ms, recheck_below=recheck_below).encode()
    )


def _intent(found: AssignmentFacts) -> Intent | None:
    try:
        return decode(found.metadata)
    except UnknownIntent:
        return None


def _first(found: AssignmentFacts, intent: Intent | None) -> int:
    """Return the first offset that is not known to be stored or dead-lettered."""
    if found.committed is not None and (intent is None or intent.topic_id == found.topic_id):
        return found.committed
    stored = found.stored
    if stored is None or stored.highest is None:
        return found.low
    return stored.highest + 1 if stored.first_gap is None else stored.first_gap
