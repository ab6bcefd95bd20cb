"""Decides where to start reading an assigned partition, from the committed offset, its metadata, the bounds in Kafka,
and the store.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from auditlane.contract.intent import Intent, UnknownIntent, decode
from auditlane.contract.partition import Partition

TRUNCATED: Final = "follow docs/operate/workers.md, A truncated log"


@dataclass(frozen=True, slots=True)
class StoredOffsetsSummary:
    """Summarizes the offsets stored for one topic id and partition.

    `first_gap` is the lowest missing offset within a window below `highest`, or None. A rejected message leaves a gap,
    just as a lost message does.
    """

    highest: int | None
    first_gap: int | None = None


@dataclass(frozen=True, slots=True)
class AssignmentFacts:
    """Facts about a partition at its assignment.

    `low` is the first offset that Kafka still holds, and `high` is one past the last. `stored` is None if the store was
    not queried or did not respond.
    """

    partition: Partition
    topic_id: str
    committed: int | None
    metadata: str
    low: int
    high: int
    stored: StoredOffsetsSummary | None = None


@dataclass(frozen=True, slots=True)
class StartDecision:
    """Where to start reading, and what to restore first.

    Reading starts at `offset`. If `rebuild` is set, exactly that range is restored first. `halt` is a reason not to
    start at all, and `note` is a line for the log. Ranges that start below `recheck_below` may have been attempted
    before, with any outcome, so they are compared with the store in the same way as a rebuilt range.
    """

    offset: int
    rebuild: Intent | None = None
    halt: str = ""
    note: str = ""
    recheck_below: int = 0


def wants_store(committed: int | None, metadata: str, topic_id: str) -> bool:
    """Return whether `decide_start` needs the store's offsets."""
    if committed is None:
        return True
    try:
        intent = decode(metadata)
    except UnknownIntent:
        return False
    return intent is not None and not intent.pending and intent.topic_id != topic_id


def decide_start(facts: AssignmentFacts) -> StartDecision:
    """Decide where to start.

    Offsets are never skipped. If messages may have been lost, the partition is halted, with a reason that tells
    operators what to do.
    """
    if facts.committed is None:
        return _uncommitted(facts)
    try:
        intent = decode(facts.metadata)
    except UnknownIntent as error:
        newer = f"its intent cannot be read ({error}); run the auditlane version that wrote it"
        return _halt(facts, f"{newer}, or {_command(facts, facts.committed)}")
    if intent is not None and intent.topic_id != facts.topic_id:
        if intent.pending:
            lost = f"offsets {intent.first}-{intent.last} were pending when the topic was deleted and created again"
            return _halt(facts, f"{lost}; to accept their loss {_command(facts, facts.low)}")
        return _uncommitted(facts, note="the topic was created again; its old offset does not apply")
    if intent is not None and intent.pending:
        return _pending(facts, intent)
    if intent is not None:
        return _committed(facts, note="", recheck_below=intent.recheck_below)
    return _committed(facts, note="the offset was committed by another tool", recheck_below=facts.high)


def _committed(facts: AssignmentFacts, note: str, recheck_below: int) -> StartDecision:
    at = facts.committed or 0
    if at < facts.low:
        return _halt(facts, _lost(facts, at))
    if at > facts.high:
        return _halt(facts, _truncated(facts, f"offset {at} was committed"))
    return StartDecision(at, note=note, recheck_below=recheck_below)


def _pending(facts: AssignmentFacts, intent: Intent) -> StartDecision:
    assert intent.first is not None
    assert intent.last is not None
    if intent.first != facts.committed:
        mismatch = f"its intent begins at {intent.first}, but the offset committed with it is {facts.committed}"
        lower = min(intent.first, facts.committed or 0)
        return _halt(facts, f"{mismatch}; to read from the lower one {_command(facts, lower)}")
    if intent.first < facts.low:
        return _halt(facts, _lost(facts, intent.first))
    if intent.last >= facts.high:
        return _halt(facts, _truncated(facts, f"offsets {intent.first}-{intent.last} are pending"))
    return StartDecision(intent.first, rebuild=intent, recheck_below=intent.recheck_below)


def _uncommitted(facts: AssignmentFacts, note: str = "") -> StartDecision:
    note = note or "no offset was committed"
    if facts.stored is None:  # rereading is safe, since every insert skips stored offsets; it only costs time
        note = f"{note}, and the store did not respond: reading from the beginning"
        return StartDecision(facts.low, note=note, recheck_below=facts.high)
    if facts.stored.highest is None:
        return StartDecision(facts.low, note=f"{note} and nothing is stored: reading from the beginning")
    gap, after = facts.stored.first_gap, facts.stored.highest + 1
    at = after if gap is None else gap
    if at < facts.low:
        return _halt(facts, _lost(facts, at))
    if after > facts.high:
        return _halt(facts, _truncated(facts, f"offset {after - 1} is stored"))
    return StartDecision(
        at, note=f"{note}; the store has offsets up to {after - 1}: reading from {at}", recheck_below=after
    )


def _lost(facts: AssignmentFacts, first: int) -> str:
    lost = f"offsets {first}-{facts.low - 1} were not stored and Kafka no longer holds them"
    return f"{lost}; to accept their loss {_command(facts, facts.low)}"


def _truncated(facts: AssignmentFacts, what: str) -> str:
    return f"{what} but the log ends at {facts.high}: it was truncated; {TRUNCATED}"


def _command(facts: AssignmentFacts, to: int | None) -> str:
    partition = facts.partition
    return f"stop the workers and run `auditlane accept-loss {partition.topic} {partition.number} --to {to}`"


def _halt(facts: AssignmentFacts, reason: str) -> StartDecision:
    return StartDecision(facts.low, halt=reason)
