"""The measurements of one check, as plain values. A value that could not be measured is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from auditlane.contract.intent import OpenCircuit


@dataclass(frozen=True, slots=True)
class TopicLag:
    """The workers' lag in one topic, measured from outside.

    `seconds` is the age of the oldest message not stored yet, or 0 if all are stored. `certain` is false if some
    partition's age is unknown. `circuits` contains the partitions halted by the circuit breaker, by number.
    """

    seconds: float
    events: int
    certain: bool = True
    behind: tuple[int, ...] = ()
    circuits: Mapping[int, OpenCircuit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Disk:
    """The size and free space of a disk, in bytes."""

    free: int
    total: int

    @property
    def free_ratio(self) -> float:
        return self.free / self.total if self.total else 1.0


@dataclass(frozen=True, slots=True)
class Expiry:
    """The expiry of a certificate or key. `since` is when it became valid, if known. `tenant` is the tenant of a
    key.
    """

    kind: Literal["certificate", "key"]
    name: str
    at: datetime
    since: datetime | None = None
    tenant: str | None = None


class Refusal(NamedTuple):
    """The key under which rejected messages are counted. `hour` is in hours since 1970. `tenant` is None for messages
    without a tenant.
    """

    hour: int
    topic: str
    code: str
    tenant: str | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Counts of the dead letters after the given positions, and the new position in each partition.

    `complete` is false if there are more letters.
    """

    counts: Mapping[Refusal, int]
    positions: Mapping[int, int]
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Measurements:
    """The measurements of one check.

    `received` is the sum of the end offsets of all partitions, and `completed` is the sum of the offsets completed by
    workers. `all_disks` is false if `disks` lacks ClickHouse's disks. `unread` contains prefixes of the kinds and names
    of certificates and keys missing from `expiries` because they could not be read. `versions` are the newest versions
    of the subjects that this check requested from the registry, and `subjects` are the names of all subjects.
    `recorded` contains the subject and version of each recent event about a registered version, if any are expected.
    """

    topics: Mapping[str, TopicLag] | None = None
    received: int | None = None
    completed: int | None = None
    rejected: Rejected | None = None
    disks: Mapping[str, Disk] | None = None
    all_disks: bool = True
    expiries: tuple[Expiry, ...] | None = None
    unread: tuple[str, ...] = ()
    subjects: frozenset[str] | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    recorded: frozenset[tuple[str, int]] | None = None
