"""Measures what tracing costs the worker: `python tests/bench/bench_tracing.py [--events 300000] [--rounds 3]`.

First, it measures the CPU time for a range's spans, encoded for export, and for each message of a batch, in this
process. Then workers with and without tracing take turns to store the same topic, and export their spans to a collector
in this process: once with a sampled `traceparent` in each message, and once without. It prints the lowest CPU time of
all rounds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench_worker import PARTS, Load, parts, worker
from confluent_kafka import Message
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.runtime import trace_context, tracing
from auditlane.worker.consumer_loop import BATCH
from auditlane.worker.protocol.actions import Commit
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.range_traces import RangeTraces

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Sent(Load):
    """Fills a topic with messages that carry the header that the SDK adds within a sampled span."""

    def _headers(self, _key: str, value: bytes) -> list[tuple[str, str | bytes | None]]:
        return [("traceparent", f"00-{_TRACE}-{len(value):016x}-01")]


class Collector(BaseHTTPRequestHandler):
    """Receives spans and counts them."""

    spans = 0

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        Collector.spans += sum(len(scope.spans) for one in request.resource_spans for scope in one.scope_spans)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


class Encodes(SpanExporter):
    """Encodes spans and discards them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


def least(rounds: int, what: Callable[[], None]) -> float:
    """Return the lowest CPU time that this thread needs in several runs, in µs."""
    taken = []
    for _ in range(rounds):
        before = time.thread_time()
        what()
        taken.append(time.thread_time() - before)
    return min(taken) * 1e6


def spans_of(traces: RangeTraces, number: int) -> None:
    at = Partition("t", number % 6)
    one = Range(at, "id", 0, 0, Columns([0], [0], [b"k"], [b"v"]), "", 1)
    traces.begin(one)
    traces.committed(Commit({at: (0, "")}, frozenset([at])), {}, time.time_ns())
    with traces.of(one):
        with tracing.span("validate") as span:
            span.set_attribute("auditlane.rejected", 0)
        with tracing.span("insert", {"auditlane.insert.token": "id:0:0-0:203001"}, kind="client"):
            trace_context.sampled_traceparent()
    traces.stored(one)
    traces.committed(Commit({at: (1, "")}), {}, time.time_ns())


def own_cost(rounds: int) -> None:
    """Print the CPU time for a range's spans and for a batch of messages."""
    headers: Any = [("traceparent", f"00-{_TRACE}-{1:016x}-01".encode())]
    batch = [Message(topic="t", partition=one % 6, offset=one, headers=headers) for one in range(BATCH)]
    off = RangeTraces()
    without = least(rounds, lambda: [spans_of(off, one) for one in range(1_000)] and None) / 1_000
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Encodes()))
    tracing.use(provider)
    on = RangeTraces()
    with_ = least(rounds, lambda: [spans_of(on, one) for one in range(1_000)] and None) / 1_000
    print(f"a range's spans: off {without:.1f}, on {with_:.1f} µs")
    assigned: Any = {Partition("t", number): None for number in range(6)}

    def looked_at() -> None:
        for at in assigned:
            links.take(at, 0, 0)  # the next range begins
        on.turned(assigned)
        on.saw(batch)

    links = on._links
    print(f"a batch of {BATCH:,} messages: off {least(rounds, lambda: off.saw(batch)):.0f}", end="")
    print(f", looked at {least(10 * rounds, looked_at):.0f}", end="")
    on.turned(assigned)
    print(f", otherwise {least(10 * rounds, lambda: on.saw(batch)):.0f} µs")
    tracing.use(None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    own_cost(given.rounds)
    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{collector.server_address[1]}"
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as folder, parts(Path(folder)) as running:
        for name, load in (
            ("no traceparent", Load(running, "one schema", given.events)),
            ("a traceparent in each message", Sent(running, "one schema", given.events, signed=True)),
        ):
            spent: dict[str, list[float]] = {"off": [], "otlp": []}
            Collector.spans = 0
            for _ in range(given.rounds):
                for choice, figures in spent.items():
                    found = worker(load, insert_parts_per_second=PARTS, tracing=choice)
                    figures.append(found["cpu_s_per_million"])
            off, on = min(spent["off"]), min(spent["otlp"])
            print(f"{name}: off {off:.2f}, on {on:.2f} µs of CPU per event, {on / off - 1:+.1%}")
            print(
                f"  rounds: off {spent['off']}, on {spent['otlp']}; {Collector.spans // given.rounds} spans a round",
                flush=True,
            )
    collector.shutdown()


if __name__ == "__main__":
    main()
