"""The result of a verification, by span and in total."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from auditlane.operations.selection import Span
from auditlane.operations.stored_events import Conflicts, TwoTimes
from auditlane.operations.verify.reconcile import OffsetStatus, Origin, SpanSummary

_COUNTED = (
    "messages",
    *(status.name for status in OffsetStatus),
    "doubled",
    "uncompared",
    "pending",
    "gone",
    "beyond_retention",
)


@dataclass(slots=True)
class Result:
    """The result of one span.

    `beyond_retention` counts rows whose messages Kafka no longer holds, and `stray` lists rows above the partition's
    end. `refused` counts missing messages that a worker would reject now. `uncompared` counts rows whose expected
    values are unknown because a worker would reject their messages.
    """

    span: Span
    summary: SpanSummary
    messages: int = 0
    beyond_retention: int = 0
    stray: list[int] = field(default_factory=list)
    refused: int = 0
    uncompared: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """The counts of the span, with the same names as in `Report.counts`."""
        counts = {status.name: count for status, count in self.summary.counts.items()}
        counts["extra"] += len(self.stray)
        return {
            "messages": self.messages,
            **counts,
            "doubled": self.summary.doubled_count,
            "uncompared": self.uncompared,
            "pending": self.span.pending,
            "gone": self.span.first - self.span.asked,
            "beyond_retention": self.beyond_retention,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The complete result. `origins` covers rows that do not belong to a partition of any of the topics."""

    results: Sequence[Result]
    two_times: Sequence[TwoTimes]
    extra_origins: Sequence[Origin] = ()
    beyond_origins: Sequence[Origin] = ()
    conflicts: Conflicts = field(default_factory=Conflicts)

    @property
    def counts(self) -> dict[str, int]:
        """The number of offsets by status. `pending` offsets have not been completed by the workers yet, and `gone`
        offsets are no longer in Kafka.
        """
        total = Counter(dict.fromkeys(_COUNTED, 0))
        for result in self.results:
            total.update(result.counts)
        total["extra"] += sum(one.rows for one in self.extra_origins)
        total["beyond_retention"] += sum(one.rows for one in self.beyond_origins)
        return {**total, "two_times": len(self.two_times), "conflicts": self.conflicts.count}

    @property
    def refused(self) -> int:
        """The number of missing messages that a worker would now reject, so that a replay would not restore them."""
        return sum(one.refused for one in self.results)

    @property
    def storable(self) -> list[str]:
        """The topics with missing messages that a replay would store."""
        return sorted({one.span.partition.topic for one in self.results if one.counts["missing"] > one.refused})

    @property
    def ok(self) -> bool:
        """Whether nothing is missing, extra or stored twice, and all rows that were compared are equal."""
        counts = self.counts
        return not any(counts[name] for name in ("missing", "extra", "doubled", "differs"))
