"""What a failed step means for the range of messages that it was about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Remedy(StrEnum):
    """What a failed step means for its range. There is none that drops it."""

    retry = "retry"  # the part is away or busy: again, later
    wait = "wait"  # another insert is before it: again soon, and nothing is wrong
    look = "look"  # whether it happened is not known: again, after a look at what is stored
    retry_slower = "retry_slower"  # ClickHouse lacks capacity or replicas: again, later, and fewer inserts
    halt = "halt"  # the same would happen again: stop the partition
    open_circuit = "open_circuit"  # too many messages are rejected: halt before anything of the range is written


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed: the remedy, and the sentence for the log."""

    remedy: Remedy
    message: str
