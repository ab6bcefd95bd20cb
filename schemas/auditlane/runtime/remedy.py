"""How to respond to a failed step of a range of messages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Remedy(StrEnum):
    """The response to a failed step of a range. None of the remedies drops the range."""

    retry = "retry"  # the service is unavailable or busy: retry later
    wait = "wait"  # another insert is ahead of this one: retry soon; not an error
    look = "look"  # the outcome is unknown: retry after checking which rows are stored
    retry_slower = "retry_slower"  # ClickHouse lacks capacity or replicas: retry later, with fewer inserts
    halt = "halt"  # a retry would fail the same way: halt the partition
    open_circuit = "open_circuit"  # too many messages are rejected: halt before any of the range is written


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed step, with a remedy and a sentence for the log. `cause` is the name of the error, without details.

    `code` and `rejected` are set with `open_circuit`: the most frequent reject code in the range, and its number of
    rejected messages.
    """

    remedy: Remedy
    message: str
    cause: str = ""
    code: str = ""
    rejected: int = 0
