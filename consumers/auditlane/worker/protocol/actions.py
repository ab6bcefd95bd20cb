"""Actions that the core returns from `step`. The caller executes them and reports each result."""

from __future__ import annotations

from dataclasses import dataclass

from auditlane.contract.partition import Partition
from auditlane.worker.protocol.partition_state import Range


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop delivery from these partitions. Polling continues."""

    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class Resume:
    """Resume delivery from these partitions."""

    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class Seek:
    """Deliver the messages of this partition again from `offset`, because messages received since then were discarded
    without being written.
    """

    partition: Partition
    offset: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit these offsets in one synchronous call, before the next poll. Report the result with `committed`.

    A commit for `intents` announces a range. A commit for `notes` announces it again, with the reason why it is not
    stored yet. Any other commit completes a range.
    """

    offsets: dict[Partition, tuple[int, str]]  # offset, metadata
    intents: frozenset[Partition] = frozenset()
    notes: frozenset[Partition] = frozenset()

    @property
    def completes(self) -> bool:
        """Whether the commit completes at least one range."""
        return len(self.offsets) > len(self.intents) + len(self.notes)


@dataclass(frozen=True, slots=True)
class Write:
    """Validate the range and insert its rows, with one insert per period. Report the result with `written`, `later` or
    `failed`.
    """

    range: Range


@dataclass(frozen=True, slots=True)
class Publish:
    """Produce dead letters for the rejected messages of the range, and wait for every acknowledgement. Report the
    result with `published` or `failed`.
    """

    range: Range


@dataclass(frozen=True, slots=True)
class Halt:
    """Report that the partition is halted until an operator intervenes."""

    partition: Partition
    reason: str


Action = Pause | Resume | Seek | Commit | Write | Publish | Halt
