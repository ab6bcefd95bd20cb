"""Tests the span of a range: its links, its commits, and its end."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Message
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.runtime import tracing
from auditlane.worker.protocol.actions import Commit
from auditlane.worker.protocol.partition_state import InFlightRange, PartitionState, Range, Step
from auditlane.worker.range_traces import LOOKED_AT, MOST_LINKS, LinkSelection, RangeTraces

AT, OTHER = Partition("t", 0), Partition("t", 1)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def sender(number: int, flags: str = "01") -> list[tuple[str, Any]]:
    return [("other", b"x"), ("traceparent", f"00-{TRACE}-{number + 1:016x}-{flags}".encode())]


def range_(first: int, last: int, partition: Partition = AT, epoch: int = 1) -> Range:
    count = last - first + 1
    columns = Columns(range(first, last + 1), [1] * count, [b"k"] * count, [b"v"] * count)
    return Range(partition, "id", first, last, columns, "", epoch)


def state(flight: Range | None = None, *, epoch: int = 1, halted: str = "") -> PartitionState:
    made = PartitionState(AT, "id", epoch, begin=0, position=0, halted=halted)
    made.flight = InFlightRange(flight, Step.WRITE) if flight else None
    return made


def looked(selection: LinkSelection, partition: Partition, messages: dict[int, list[tuple[str, Any]] | None]) -> None:
    for offset, headers in messages.items():
        if selection.wants(partition):
            selection.look(partition, offset, headers)


def test_links_are_the_sampled_messages_of_the_range() -> None:
    selection = LinkSelection()
    headers = {0: sender(0), 1: None, 2: sender(2, "00"), 3: [("traceparent", b"junk")], 4: sender(4), 9: sender(9)}
    looked(selection, AT, headers)
    looked(selection, OTHER, {1: sender(1)})
    assert [(offset, int(context.span_id, 16)) for offset, context in selection.take(AT, 0, 5)] == [(0, 1), (4, 5)]
    assert [offset for offset, _ in selection.take(AT, 6, 9)] == [9]
    assert selection.take(AT, 10, 20) == []
    selection.keep([AT])
    assert selection.take(OTHER, 0, 9) == []


def test_the_links_of_a_range_are_limited() -> None:
    selection = LinkSelection()
    looked(selection, AT, {offset: sender(offset) for offset in range(100)})
    assert [offset for offset, _ in selection.take(AT, 0, 99)] == list(range(MOST_LINKS))
    assert selection.wants(AT)


def test_only_the_first_messages_of_a_range_are_examined() -> None:
    selection = LinkSelection()
    late = {offset: sender(offset) if offset >= LOOKED_AT - 1 else None for offset in range(2 * LOOKED_AT)}
    looked(selection, AT, late)
    assert [offset for offset, _ in selection.take(AT, 0, 2 * LOOKED_AT)] == [LOOKED_AT - 1]
    looked(selection, AT, {2 * LOOKED_AT + 1: sender(1)})
    assert len(selection.take(AT, 2 * LOOKED_AT, 3 * LOOKED_AT)) == 1


def ended(exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.parent is None]


def outcomes(exporter: InMemorySpanExporter) -> list[Any]:
    return [(span.attributes or {})["auditlane.range.outcome"] for span in ended(exporter)]


def test_the_next_ranges_intent_completes_a_range(span_exporter: InMemorySpanExporter) -> None:
    traces, first, second = RangeTraces(group="g"), range_(0, 4), range_(5, 9)
    traces.assigned([AT])
    traces.saw([Message(topic="t", partition=0, offset=n, headers=sender(n)) for n in range(7)])
    traces.begin(first)
    traces.committed(Commit({AT: (0, "")}, frozenset([AT])), {}, 1)
    traces.stored(first)
    traces.begin(second)
    traces.turned({AT: state(second)})
    assert not ended(span_exporter)
    intent = Commit({AT: (5, "")}, frozenset([AT]))
    traces.committed(intent, {AT: "no answer"}, 2)
    assert not ended(span_exporter)
    traces.committed(intent, {}, 3)
    [done] = ended(span_exporter)
    assert outcomes(span_exporter) == ["complete"]
    assert [(link.attributes or {})["messaging.kafka.offset"] for link in done.links] == [0, 1, 2, 3, 4]
    assert {f"{link.context.trace_id:032x}" for link in done.links} == {TRACE}
    children = [span for span in span_exporter.get_finished_spans() if span.parent and span.parent == done.context]
    told = [((one.attributes or {})["auditlane.commit"], one.status.is_ok) for one in children]
    assert told == [("intent", True), ("complete", False), ("complete", True)]


def test_a_note_is_not_a_commit_of_the_range(span_exporter: InMemorySpanExporter) -> None:
    traces, one = RangeTraces(), range_(0, 4)
    traces.begin(one)
    traces.committed(Commit({AT: (0, "")}, notes=frozenset([AT])), {}, 1)
    assert span_exporter.get_finished_spans() == ()


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({}, "revoked"),
        ({AT: state(epoch=2)}, "revoked"),
        ({AT: state(halted="why")}, "halted"),
        ({AT: state()}, "parked"),
    ],
    ids=["gone", "assigned again", "halted", "parked"],
)
def test_an_abandoned_range_ends_with_the_reason(
    span_exporter: InMemorySpanExporter, states: dict[Partition, PartitionState], expected: str
) -> None:
    traces, one = RangeTraces(), range_(0, 4)
    traces.begin(one)
    traces.turned({AT: state(one)})
    assert not ended(span_exporter)
    traces.turned(states)
    assert outcomes(span_exporter) == [expected]


def test_steps_are_children_of_the_range_and_each_range_is_a_separate_trace(
    span_exporter: InMemorySpanExporter,
) -> None:
    traces, one, other = RangeTraces(), range_(0, 4), range_(0, 4, OTHER)
    with tracing.span("what this thread was doing"):
        traces.begin(one)
    traces.begin(other)
    with traces.of(one), tracing.span("validate"):
        pass
    traces.turned({})
    [first, second] = [span for span in ended(span_exporter) if span.name == "process t"]
    [step] = [span for span in span_exporter.get_finished_spans() if span.name == "validate"]
    assert step.parent == first.context
    assert first.context.trace_id != second.context.trace_id


def test_nothing_is_kept_while_tracing_is_disabled() -> None:
    traces, one = RangeTraces(), range_(0, 4)
    traces.saw([Message(topic="t", partition=0, offset=0, headers=sender(0))])
    traces.begin(one)
    with traces.of(one):
        traces.stored(one)
    traces.committed(Commit({AT: (0, "")}), {}, 1)
    traces.turned({})
