"""Tests traces on real services. They reach from a sender's span through the gateway, Kafka and a worker to
ClickHouse's spans.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from fixtures.workers import World, wait_until
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from serving import Served

from auditlane.sdk import AuditClient

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Collector:
    """Receives spans over OTLP, or rejects them with `status`."""

    def __init__(self, status: int = 200) -> None:
        self.spans: list[Span] = []
        self.resource: dict[str, str] = {}
        self.requests = 0
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests += 1
                if status == 200:
                    collector.receive(ExportTraceServiceRequest.FromString(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        port = self._server.server_address[1]
        self.variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def receive(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            self.resource = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]

    def roots(self) -> list[Span]:
        return [span for span in self.spans if not span.parent_span_id]

    def children(self, of: Span) -> list[Span]:
        return [span for span in self.spans if span.parent_span_id == of.span_id]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def attributes(span: Span) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "") for one in span.attributes}


def headers_in_kafka(world: World, *keys: str, having: str = "") -> dict[str, dict[str, Any]]:
    """Wait for a message with each of these keys and, if `having` is given, with that header. Returns the messages'
    headers by key.
    """
    consumer = Consumer(world.kafka | {"group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(world.settings.topic, number, 0) for number in range(2)])
    found: dict[str, dict[str, Any]] = {}

    def all_found() -> bool:
        for message in consumer.consume(100, 0.2):
            headers = dict(message.headers() or ())
            if not having or having in headers:
                found[(message.key() or b"").decode()] = headers
        return found.keys() >= set(keys)

    try:
        wait_until(all_found)
    finally:
        consumer.close()
    return found


def test_a_range_is_one_trace_with_its_steps_and_links(world: World, collector: Collector) -> None:
    topic, flags = world.settings.topic, ("01", "00", "01", None)
    for number, flag in enumerate(flags):
        headers = {"traceparent": f"00-{TRACE}-{number + 1:016x}-{flag}"} if flag else {}
        world.producer.produce(topic, key="acme", value=world.value("acme", number), partition=0, headers=headers)
    world.send(b"not an event", partition=0)
    worker = world.worker(tracing="otlp", environment=collector.variables)
    world.completed()
    assert worker.stop() == 0
    roots = collector.roots()
    assert collector.resource["service.name"] == "auditlane-worker"
    assert {root.name for root in roots} == {f"process {topic}"}
    assert {span.name for span in collector.spans} == {
        f"process {topic}", "validate", "insert", "dead letters", "commit",
    }  # fmt: skip
    root_attributes = [attributes(root) for root in roots]
    assert sum(one["messaging.batch.message_count"] for one in root_attributes) == 5
    assert {one["auditlane.range.outcome"] for one in root_attributes} == {"complete"}
    assert {link.span_id.hex() for root in roots for link in root.links} == {f"{n + 1:016x}" for n in (0, 2)}
    assert {link.trace_id.hex() for root in roots for link in root.links} == {TRACE}
    for root in roots:
        children = collector.children(root)
        assert {child.trace_id for child in children} == {root.trace_id}
        assert {attributes(one)["auditlane.commit"] for one in children if one.name == "commit"} == {
            "intent", "complete",
        }  # fmt: skip
    inserts = [(root, child) for root in roots for child in collector.children(root) if child.name == "insert"]
    for root, insert in inserts:
        first, last = (attributes(root)[f"auditlane.range.{end}_offset"] for end in ("first", "last"))
        token = attributes(insert)["auditlane.insert.token"]
        assert token.startswith(f"{world.topic_id()}:0:{first}-{last}:")
        assert attributes(insert)["auditlane.insert.added"] == attributes(insert)["auditlane.insert.rows"]
    [line] = worker.events("range.dead_letters")
    assert (line["topic"], line["partition"], line["last_offset"]) == (topic, 0, 4)
    assert line["trace_id"] in {root.trace_id.hex() for root in roots}
    assert line["version"]
    joined(world, inserts[0][1])


def joined(world: World, insert: Span) -> None:
    """Check that ClickHouse has recorded its own spans as children of the insert's span."""
    parent = int.from_bytes(insert.span_id, "big")
    query = (
        f"SELECT count() FROM system.opentelemetry_span_log WHERE parent_span_id = {parent}"
        f" AND trace_id = toUUID('{insert.trace_id.hex()}')"
    )
    world.client.command("SYSTEM FLUSH LOGS")
    assert int(world.client.command(query)) >= 1


def test_a_collector_that_rejects_spans_does_not_affect_the_worker(world: World) -> None:
    collector = Collector(status=400)
    world.produce(50)
    worker = world.worker(tracing="otlp", environment=collector.variables)
    world.completed()
    assert world.counts() == (50, 50)
    [line] = wait_until(lambda: worker.events("tracing.failed"), why=worker.tail)
    assert "400" in line["problem"]
    assert worker.stop() == 0
    assert collector.requests
    collector.close()


def test_the_sdk_propagates_sampled_spans_only(world: World) -> None:
    settings = world.settings
    sampled = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    dropped = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False).get_tracer("test")
    with AuditClient(
        kafka_bootstrap=settings.kafka_bootstrap, registry_url=settings.registry_url, topic=settings.topic
    ) as audit:
        audit.emit(action="login", tenant_id="none")
        with dropped.start_as_current_span("request"):
            audit.emit(action="login", tenant_id="dropped")
        with sampled.start_as_current_span("request") as span:
            audit.emit(action="login", tenant_id="sampled")
    found = headers_in_kafka(world, "none", "dropped", "sampled")
    context = span.get_span_context()
    assert "traceparent" not in found["none"]
    assert "traceparent" not in found["dropped"]
    assert found["sampled"]["traceparent"].decode() == f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def test_requests_continue_the_callers_trace_to_kafka_and_clickhouse(
    world: World, span_exporter: InMemorySpanExporter, unique: str, tmp_path: Path
) -> None:
    caller = f"00-{TRACE}-{7:016x}-01"
    with Served(tmp_path, **world.settings.model_dump(exclude_unset=True)) as served:
        read = served.request("/v1/events?actor=jane", served.viewer_token(unique), traceparent=caller)
        assert read.status == 200, read.data
        sent = served.request(
            "/v1/events", served.client_token("writer"), method="POST", body={"action": "a"},
            auditlane_tenant=unique, traceparent=caller,
        )  # fmt: skip
        assert sent.status == 202, sent.data
        assert served.request("/health/live").status == 200
    [reading] = wait_until(lambda: named(span_exporter, "GET /v1/events"))
    assert (reading.context.trace_id, reading.parent and reading.parent.span_id) == (int(TRACE, 16), 7)
    assert dict(reading.attributes or {}) == {
        "http.request.method": "GET", "http.route": "/v1/events", "http.response.status_code": 200,
    }  # fmt: skip
    selects = named(span_exporter, "ClickHouse SELECT")
    assert reading.context.span_id in {span.parent and span.parent.span_id for span in selects}
    assert {span.context.trace_id for span in span_exporter.get_finished_spans()} == {int(TRACE, 16)}
    assert "jane" not in "".join(span.to_json() for span in span_exporter.get_finished_spans())
    assert not [span for span in span_exporter.get_finished_spans() if "health" in span.name]
    [sending] = named(span_exporter, "POST /v1/events")
    [header] = [one["traceparent"].decode() for one in headers_in_kafka(world, unique, having="traceparent").values()]
    assert header == f"00-{TRACE}-{sending.context.span_id:016x}-01"
