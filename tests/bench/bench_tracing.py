"""Measure what tracing costs the worker: `python tests/bench/bench_tracing.py [--events 300000] [--rounds 3]`.

In one run, the same topic is stored by workers without and with tracing in turn, which export to a collector in this
process; once with a sampled `traceparent` in each message, once without. It prints the least CPU seconds per million
events of the rounds.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench_worker import PARTS, Load, parts, worker
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Sent(Load):
    """A topic whose messages have the header that the SDK adds within a sampled span."""

    def _headers(self, _key: str, value: bytes) -> list[tuple[str, str | bytes | None]]:
        return [("traceparent", f"00-{_TRACE}-{len(value):016x}-01")]


class Collector(BaseHTTPRequestHandler):
    """Counts the spans that it receives."""

    spans = 0

    def do_POST(self) -> None:
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
        Collector.spans += sum(len(scope.spans) for one in request.resource_spans for scope in one.scope_spans)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
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
                for tracing, figures in spent.items():
                    found = worker(load, insert_parts_per_second=PARTS, tracing=tracing)
                    figures.append(found["cpu_s_per_million"])
            off, on = min(spent["off"]), min(spent["otlp"])
            print(f"{name}: off {off:.2f}, on {on:.2f} CPU s per million events, {on / off - 1:+.1%}")
            print(
                f"  rounds: off {spent['off']}, on {spent['otlp']}; {Collector.spans // given.rounds} spans a round",
                flush=True,
            )
    collector.shutdown()


if __name__ == "__main__":
    main()
