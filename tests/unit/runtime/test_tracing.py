"""Tests that tracing costs and imports nothing while it is disabled, and that it covers headers, statements and
failures while it is enabled.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from types import ModuleType

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from auditlane.runtime import trace_context, tracing
from auditlane.runtime.errors import ConfigError, MissingExtra
from auditlane.runtime.settings import load
from auditlane.runtime.trace_context import TraceContext, parse

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", TraceContext(TRACE, SPAN, sampled=True)),
        (f" 00-{TRACE}-{SPAN}-00 ", TraceContext(TRACE, SPAN, sampled=False)),
        (f"00-{TRACE}-{SPAN}-03", TraceContext(TRACE, SPAN, sampled=True)),
        (f"01-{TRACE}-{SPAN}-01-more", TraceContext(TRACE, SPAN, sampled=True)),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        ("", None),
    ],
)
def test_a_traceparent_is_parsed(header: str, expected: TraceContext | None) -> None:
    assert parse(header) == expected


def test_a_traceparent_round_trips() -> None:
    for sampled in (True, False):
        assert parse(TraceContext(TRACE, SPAN, sampled).traceparent) == TraceContext(TRACE, SPAN, sampled)


def test_there_is_no_span_while_another_thread_imports_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", ModuleType("opentelemetry.trace"))
    assert trace_context.current() is None


def test_without_tracing_opentelemetry_is_not_imported() -> None:
    code = (
        "import sys\n"
        "from auditlane.runtime import tracing\n"
        "from auditlane.runtime.settings import load\n"
        "from auditlane.store import client\n"
        "import auditlane.worker.service, auditlane.sdk\n"
        "tracing.configure(load(), 'worker')\n"
        "with tracing.span('a') as span, tracing.statement('SELECT 1') as headers:\n"
        "    span.set_attribute('a', 1)\n"
        "assert headers == {}\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_without_its_packages_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(MissingExtra, match="AUDITLANE_TRACING=otlp needs opentelemetry") as raised:
        tracing.configure(load(tracing="otlp"), "worker")
    assert "auditlane[otel]" in raised.value.fix


def test_an_invalid_variable_of_opentelemetry_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = logging.getLogger("opentelemetry")  # restored after the test
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", logger.propagate)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    with pytest.raises(ConfigError, match=r"Tracing cannot be set up: max_queue_size must be .* integer\. Correct"):
        tracing.configure(load(tracing="otlp"), "worker")


def test_a_failure_is_recorded_by_its_type_only(span_exporter: InMemorySpanExporter) -> None:
    with pytest.raises(KeyboardInterrupt), tracing.span("a"):
        raise KeyboardInterrupt("jane@example.com")
    [span] = span_exporter.get_finished_spans()
    assert dict(span.attributes or {}) == {"error.type": "KeyboardInterrupt"}
    assert not span.status.is_ok
    assert "jane" not in span.to_json()


def test_only_a_sampled_span_is_propagated(span_exporter: InMemorySpanExporter) -> None:
    assert trace_context.sampled_traceparent() is None
    with tracing.span("a"):
        context = trace_context.current()
        assert context is not None
        assert trace_context.sampled_traceparent() == context.traceparent
    with tracing.span("b", parent=TraceContext(TRACE, SPAN, sampled=False)):
        assert trace_context.sampled_traceparent() is None
    assert [span.name for span in span_exporter.get_finished_spans()] == ["a"]


def test_a_remote_parent_is_continued(span_exporter: InMemorySpanExporter) -> None:
    with tracing.span("a", kind="server", parent=TraceContext(TRACE, SPAN, sampled=True)):
        pass
    exported = json.loads(span_exporter.get_finished_spans()[0].to_json())
    assert (exported["context"]["trace_id"], exported["parent_id"], exported["kind"]) == (
        f"0x{TRACE}", f"0x{SPAN}", "SpanKind.SERVER",
    )  # fmt: skip


def test_statements_are_traced_only_within_a_span_and_once(span_exporter: InMemorySpanExporter) -> None:
    with tracing.statement("SELECT 1") as headers:
        assert headers == {}
    with tracing.span("request"):
        with tracing.statement(b"  with x as (select 1) select * from x") as headers:
            assert headers["traceparent"] == trace_context.sampled_traceparent()
        with tracing.span("insert", kind="client"), tracing.statement(memoryview(b"INSERT INTO t")) as headers:
            assert headers["traceparent"] == trace_context.sampled_traceparent()
    assert [span.name for span in span_exporter.get_finished_spans()] == ["ClickHouse WITH", "insert", "request"]


def test_statements_of_a_trace_that_is_not_sampled_have_no_header() -> None:
    tracing.use(TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False))
    with tracing.span("request"), tracing.statement("SELECT 1") as headers:
        assert headers == {}
    tracing.use(None)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("SELECT 1", "SELECT"),
        (b"\n insert into t", "INSERT"),
        (b"\x01\x02\x05event", "statement"),
        ("SELECTED", "statement"),
        (None, "statement"),
        (iter(()), "statement"),
    ],
)
def test_an_operation_is_a_known_first_word(body: object, expected: str) -> None:
    assert tracing.operation_of(body) == expected
