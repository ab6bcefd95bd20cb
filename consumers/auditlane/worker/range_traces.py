"""Traces the ranges of a worker. A range has a span from its first action until it is complete, with a child span per
step.

The modules of the insert threads create the spans for their steps (validate, insert, dead letters). The range's span is
current meanwhile (`RangeTraces.of`). Messages do not have spans. Instead, the span of a range links to some of the
messages whose senders were sampled.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Message

from auditlane.contract.partition import Partition
from auditlane.runtime import trace_context, tracing
from auditlane.runtime.trace_context import TraceContext
from auditlane.worker.protocol.actions import Commit
from auditlane.worker.protocol.partition_state import PartitionState, Range

if TYPE_CHECKING:
    from opentelemetry.trace import Link, Span, Tracer

LOOKED_AT: Final = 1_000  # number of messages per range whose headers are read
MOST_LINKS: Final = 32


@dataclass(slots=True)
class _Looked:
    count: int = 0
    found: dict[int, TraceContext] = field(default_factory=dict)  # by offset


class LinkSelection:
    """Selects the sampled messages to which the span of a range links. Performs no I/O.

    The bounds of a range are not known yet when its messages arrive. Therefore, the messages of a partition are
    examined from the end of the previous range on, until `LOOKED_AT` have been examined or `MOST_LINKS` have been
    found.
    """

    def __init__(self) -> None:
        self._partitions: dict[tuple[str, int], _Looked] = {}

    def wants(self, partition: tuple[str, int]) -> bool:
        """Return whether the next message of the partition should be examined."""
        looked = self._partitions.get(partition)
        return looked is None or (looked.count < LOOKED_AT and len(looked.found) < MOST_LINKS)

    def look(self, partition: tuple[str, int], offset: int, headers: Iterable[tuple[str, Any]] | None) -> None:
        """Examine the headers of a message, and keep the span of its sender if that span is sampled."""
        looked = self._partitions.setdefault(partition, _Looked())
        looked.count += 1
        for name, value in headers or ():
            if name == trace_context.HEADER and isinstance(value, bytes):
                context = trace_context.parse(value.decode("ascii", "replace"))
                if context is not None and context.sampled:
                    looked.found[offset] = context
                return

    def take(self, partition: tuple[str, int], first: int, last: int) -> list[tuple[int, TraceContext]]:
        """Return the spans to link for the range from `first` to `last`, each with the offset of its message, and begin
        the next range.
        """
        looked = self._partitions.get(partition)
        if looked is None:
            return []
        taken = [(offset, context) for offset, context in sorted(looked.found.items()) if first <= offset <= last]
        looked.count, looked.found = 0, {at: context for at, context in looked.found.items() if at > last}
        return taken

    def keep(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Forget all other partitions."""
        kept = set(partitions)
        self._partitions = {at: looked for at, looked in self._partitions.items() if at in kept}


@dataclass(slots=True)
class _Open:
    span: Span
    stored: bool = False  # whether only the commit is left


class RangeTraces:
    """The spans of the ranges in flight. Any thread may call `of`, and only the consuming thread may call the other
    methods.

    Does nothing while tracing is off.
    """

    def __init__(self, *, group: str = "") -> None:
        self._tracer: Tracer | None = tracing.tracer()
        self._group = group
        self._links = LinkSelection()
        self._open: dict[Range, _Open] = {}
        self._wanting: set[int | None] = set()  # assigned partitions whose next message should be checked for a trace

    def assigned(self, partitions: Iterable[Partition]) -> None:
        """Examine the first messages of the partitions, which may arrive in the same poll as the assignment."""
        self._wanting |= {at.number for at in partitions}

    def saw(self, messages: Sequence[Message]) -> None:
        """Look for messages to link. Most batches are skipped, since their ranges have been examined already."""
        if self._tracer is None or not self._wanting:
            return
        numbers = list(map(Message.partition, messages))
        if self._wanting.isdisjoint(numbers):
            return
        where: list[Any] = list(zip(map(Message.topic, messages), numbers, strict=True))
        wanted = {at for at in set(where) if self._links.wants(at)}
        for at, message in zip(where, messages, strict=True):
            if not wanted:
                return
            if at in wanted and message.error() is None:
                self._links.look(at, message.offset() or 0, message.headers())  # type: ignore[arg-type]  # a list
                if not self._links.wants(at):
                    wanted.discard(at)

    def begin(self, range_: Range) -> None:
        """Begin the span of the range, unless it has begun."""
        if self._tracer is None or range_ in self._open:
            return
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        partition = range_.partition
        links = [_link(*found) for found in self._links.take(partition, range_.first, range_.last)]
        span = self._tracer.start_span(
            f"process {partition.topic}",
            context=Context(),  # a separate trace, whatever this thread is doing
            kind=SpanKind.CONSUMER,
            attributes={
                "messaging.system": "kafka",
                "messaging.operation.type": "process",
                "messaging.destination.name": partition.topic,
                "messaging.destination.partition.id": str(partition.number),
                "messaging.consumer.group.name": self._group,
                "messaging.batch.message_count": len(range_.columns),
                "auditlane.range.first_offset": range_.first,
                "auditlane.range.last_offset": range_.last,
                "auditlane.range.redo": range_.redo,
            },
            links=links,
        )
        self._open[range_] = _Open(span)

    def of(self, range_: Range) -> AbstractContextManager[Any]:
        """Make the span of the range the current span for further spans, requests to ClickHouse and log lines."""
        found = self._open.get(range_)
        if found is None:
            return nullcontext()
        from opentelemetry.trace import use_span

        return use_span(found.span, record_exception=False, set_status_on_exception=False)

    def stored(self, range_: Range) -> None:
        """Record that the range only has to be committed."""
        if (found := self._open.get(range_)) is not None:
            found.stored = True

    def committed(self, commit: Commit, errors: Mapping[Partition, str], began_ns: int) -> None:
        """Record a commit in each range that it announces or completes, as a child span, and end the spans of completed
        ranges.

        `began_ns` is when the commit began, in nanoseconds since 1970.
        """
        if self._tracer is None:
            return
        from opentelemetry.trace import set_span_in_context

        for range_, found in list(self._open.items()):
            at = range_.partition
            if at not in commit.offsets or at in commit.notes:
                continue
            child = self._tracer.start_span(
                "commit",
                context=set_span_in_context(found.span),
                start_time=began_ns,
                attributes={
                    "auditlane.commit": "complete" if found.stored else "intent",
                    "messaging.kafka.offset": commit.offsets[at][0],
                },
            )
            if at in errors:
                tracing.mark_failed(child, errors[at])
            child.end(time.time_ns())
            if found.stored and at not in errors:
                self._end(range_, "complete")

    def turned(self, states: Mapping[Partition, PartitionState]) -> None:
        """End the spans of ranges that are no longer in flight in this worker. Their intents stay committed.

        Called with the assigned partitions in every turn, and without partitions when the worker leaves the group.
        """
        if self._tracer is None:
            return
        self._links.keep(states)
        self._wanting = {at.number for at in states if self._links.wants(at)}
        for range_, found in list(self._open.items()):
            state = states.get(range_.partition)
            if state is None or state.assignment_epoch != range_.assignment_epoch:
                self._end(range_, "revoked")
            elif not found.stored and (state.flight is None or state.flight.range is not range_):
                self._end(range_, "halted" if state.halted else "parked")

    def _end(self, range_: Range, outcome: str) -> None:
        span = self._open.pop(range_).span
        span.set_attribute("auditlane.range.outcome", outcome)
        if outcome != "complete":
            tracing.mark_failed(span, outcome)
        span.end()


def _link(offset: int, found: TraceContext) -> Link:
    from opentelemetry.trace import Link, get_current_span

    return Link(get_current_span(tracing.remote(found)).get_span_context(), {"messaging.kafka.offset": offset})
