"""The verbs that everything with work in flight shares, and who calls them when.

The runner is the only caller, on the consuming thread. Work that waits is a value that comes back from `poll`, never a
sleep; back-pressure is the core's decision to submit no more.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

Work = TypeVar("Work", contravariant=True)
Done = TypeVar("Done")


class Stage(Protocol[Work, Done]):
    """Takes work, does it elsewhere, gives back what became of it."""

    def submit(self, work: Work) -> None:
        """Hand over work. Called when the core asks for it; returns at once."""

    def poll(self, wait_s: float = 0.0) -> list[Done]:
        """What has ended since the last call; waits so long for the first. Called every turn of the loop."""

    def close(self) -> None:
        """Take no more; what is in flight goes on. Called once, when the worker has drained or gives up."""

    def join(self, timeout_s: float) -> bool:
        """Wait for what is in flight; whether all of it ended. Called after `close`."""

    def terminate(self) -> None:
        """Abandon what is in flight. Called when `join` ran out of time: the intent in Kafka hands it over."""
