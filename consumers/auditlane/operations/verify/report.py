"""What a verification found: by span, and altogether."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from auditlane.operations.selection import Span
from auditlane.operations.stored_events import Conflicts, TwoTimes
from auditlane.operations.verify.reconcile import OffsetStatus, Origin, Tally

_COUNTED = (
    "messages",
    *(fate.name for fate in OffsetStatus),
    "doubled",
    "uncompared",
    "pending",
    "gone",
    "beyond_retention",
)


@dataclass(slots=True)
class Result:
    """What was found in one span. `beyond_retention` are rows whose messages Kafka no longer holds, `pending` offsets
    that the workers have not completed, `stray` rows above the end of the partition. `refused` are those of the missing
    that no worker would store now, `uncompared` rows whose messages none would, so that what they should hold is not
    known."""

    span: Span
    tally: Tally
    messages: int = 0
    beyond_retention: int = 0
    stray: list[int] = field(default_factory=list)
    refused: int = 0
    uncompared: int = 0

    @property
    def counts(self) -> dict[str, int]:
        counts = {fate.name: count for fate, count in self.tally.counts.items()}
        counts["extra"] += len(self.stray)
        return {
            "messages": self.messages,
            **counts,
            "doubled": self.tally.doubled_count,
            "uncompared": self.uncompared,
            "pending": self.span.pending,
            "gone": self.span.first - self.span.asked,
            "beyond_retention": self.beyond_retention,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The whole result. Origins are of rows that belong to no partition of the topics."""

    results: Sequence[Result]
    two_times: Sequence[TwoTimes]
    extra_origins: Sequence[Origin] = ()
    beyond_origins: Sequence[Origin] = ()
    conflicts: Conflicts = field(default_factory=Conflicts)

    @property
    def counts(self) -> dict[str, int]:
        """Offsets by what became of them; `pending` are not completed by the workers, `gone` no longer in Kafka."""
        total = Counter(dict.fromkeys(_COUNTED, 0))
        for result in self.results:
            total.update(result.counts)
        total["extra"] += sum(one.rows for one in self.extra_origins)
        total["beyond_retention"] += sum(one.rows for one in self.beyond_origins)
        return {**total, "two_times": len(self.two_times), "conflicts": self.conflicts.count}

    @property
    def refused(self) -> int:
        """How many of the missing no worker would store now, so that a replay does not bring them back."""
        return sum(one.refused for one in self.results)

    @property
    def storable(self) -> list[str]:
        """The topics of which a replay stores what is missing."""
        return sorted({one.span.partition.topic for one in self.results if one.counts["missing"] > one.refused})

    @property
    def ok(self) -> bool:
        """Whether nothing is missing, extra or stored twice, and nothing was seen to differ."""
        counts = self.counts
        return not any(counts[name] for name in ("missing", "extra", "doubled", "differs"))
