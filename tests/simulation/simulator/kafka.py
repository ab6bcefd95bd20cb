"""An in-memory log and consumer group that behave like real ones in every respect that matters to a worker.

A commit is checked for membership and epoch, but not for ownership. A member learns that it was expelled when it polls.
A partition is reassigned only after its owner has released it or has been expelled.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from operator import attrgetter

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition

TOPIC_ID = "00000000-0000-0000-0000-000000000001"


class OutOfRange(LookupError):
    """Raised if a position is not in the log."""


@dataclass(slots=True)
class Message:
    offset: int
    period: int
    good: bool
    doubtful: bool = False  # whether the verdict on this message flips with the registry's state
    value: bytes = b""

    def __post_init__(self) -> None:
        self.value = f"{self.period}:{self.good:d}:{self.doubtful:d}:{self.offset}".encode()


@dataclass(slots=True)
class Member:
    """A consumer in the group. `owned` contains the partitions that it believes it owns, and `target` those that it has
    been assigned.
    """

    name: str
    epoch: int
    owned: set[Partition] = field(default_factory=set)
    target: set[Partition] = field(default_factory=set)
    expelled: bool = False


class Kafka:
    def __init__(self, partitions: int) -> None:
        self.logs: dict[Partition, list[Message]] = {Partition("t", n): [] for n in range(partitions)}
        self.ends: dict[Partition, int] = dict.fromkeys(self.logs, 0)
        self.committed: dict[Partition, tuple[int, str]] = {}
        self.members: dict[str, Member] = {}
        self.held: dict[Partition, str] = {}  # partition -> member that owns it until the member releases it
        self._epoch = 0

    def produce(
        self, partition: Partition, *, period: int, good: bool, doubtful: bool = False, control: bool = False
    ) -> None:
        """Append a message, or a control record that only takes up an offset."""
        if not control:
            self.logs[partition].append(Message(self.ends[partition], period, good, doubtful))
        self.ends[partition] += 1

    def fetch(self, partition: Partition, position: int, count: int) -> Columns:
        """Return at most `count` messages, starting at `position`. Raises OutOfRange."""
        if position > self.ends[partition]:
            raise OutOfRange(f"{partition} ends at {self.ends[partition]}")
        log = self.logs[partition]
        first = bisect_left(log, position, key=attrgetter("offset"))
        found = log[first : first + count]
        return Columns(
            [message.offset for message in found],
            [message.offset * 10 for message in found],
            [b"k"] * len(found),
            [message.value for message in found],
        )

    # The group.

    def join(self, name: str) -> None:
        self.members[name] = Member(name, self._next())
        self.rebalance()

    def leave(self, name: str) -> None:
        """Remove a member that has left or whose session has timed out, and release its partitions."""
        self.members.pop(name).expelled = True
        self.held = {at: holder for at, holder in self.held.items() if holder != name}
        self.rebalance()

    def rebalance(self, turn: int = 0) -> None:
        names = sorted(self.members)
        for name in names:
            self.members[name].target = set()
        for number, partition in enumerate(sorted(self.logs)):
            if names:
                self.members[names[(number + turn) % len(names)]].target.add(partition)

    def poll(self, member: Member) -> tuple[set[Partition], set[Partition]]:
        """Return the partitions revoked from a member, which are already released, and those assigned to it."""
        if member.expelled:
            revoked, member.owned = member.owned, set()
            return revoked, set()
        revoked = member.owned - member.target
        for partition in revoked:
            self.held.pop(partition, None)
        assigned = {at for at in member.target - member.owned if self.held.get(at, member.name) == member.name}
        for partition in assigned:
            self.held[partition] = member.name
        if revoked or assigned:
            member.epoch = self._next()
        member.owned = (member.owned - revoked) | assigned
        return revoked, assigned

    def commit(self, member: Member, epoch: int, offsets: dict[Partition, tuple[int, str]]) -> bool:
        """Commit offsets. Returns whether the group accepted them."""
        if member.expelled or epoch != member.epoch:
            return False
        self.committed |= offsets
        return True

    def _next(self) -> int:
        self._epoch += 1
        return self._epoch
