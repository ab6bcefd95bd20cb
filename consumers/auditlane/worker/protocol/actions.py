"""What the core asks of the world, and in what words the world answers when it fails."""

from __future__ import annotations

from dataclasses import dataclass

from auditlane.contract.partition import Partition
from auditlane.worker.protocol.partition_state import Range


@dataclass(frozen=True, slots=True)
class Pause:
    """Deliver nothing more of these partitions, and go on polling."""

    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class Resume:
    """Deliver these partitions again."""

    partitions: tuple[Partition, ...]


@dataclass(frozen=True, slots=True)
class Seek:
    """Deliver this partition from an offset on that was delivered before: what followed was given up, unwritten."""

    partition: Partition
    offset: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Commit all of these in one synchronous call, now, before anything else is polled; answer with `committed`.

    Those of `intents` announce a range; those of `notes` say again what is announced already, and why it is not stored
    yet; the others complete a range.
    """

    offsets: dict[Partition, tuple[int, str]]  # offset, metadata
    intents: frozenset[Partition] = frozenset()
    notes: frozenset[Partition] = frozenset()

    @property
    def completes(self) -> bool:
        """Whether it completes any range."""
        return len(self.offsets) > len(self.intents) + len(self.notes)


@dataclass(frozen=True, slots=True)
class Write:
    """Judge the range and insert its rows, one insert a month; answer with `written` or `failed`."""

    range: Range


@dataclass(frozen=True, slots=True)
class Publish:
    """Produce the range's rejected messages as dead letters and await every acknowledgement; answer with `published` or
    `failed`."""

    range: Range


@dataclass(frozen=True, slots=True)
class Halt:
    """Tell people: this partition stands still until somebody acts."""

    partition: Partition
    reason: str


Action = Pause | Resume | Seek | Commit | Write | Publish | Halt
