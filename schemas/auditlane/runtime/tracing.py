"""Tracing with OpenTelemetry, which is off and not imported unless `AUDITLANE_TRACING` is set.

A process calls `configure` once. Wherever it has something to trace, it calls `span`, which does nothing while tracing
is off. A background thread with a bounded queue exports spans; those that the collector does not accept are dropped and
reported in the log. No attribute contains an event's content.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from auditlane.runtime import trace_context
from auditlane.runtime.errors import ConfigError, MissingExtra
from auditlane.runtime.log import auditlane_version, get
from auditlane.runtime.log_sampling import SampledLog
from auditlane.runtime.settings import Settings, variable
from auditlane.runtime.trace_context import TraceContext

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool
SHUTDOWN_S: Final = 2.0  # time limit for exporting the last spans
_OPERATION: Final = re.compile(
    r"\s*(SELECT|WITH|INSERT|CREATE|ALTER|DROP|EXISTS|DESCRIBE|SHOW|SYSTEM)\b", re.IGNORECASE
)


class Span(Protocol):
    """The methods of OpenTelemetry's span that auditlane uses."""

    def set_attribute(self, key: str, value: Value) -> None: ...
    def set_status(self, status: Any) -> None: ...
    def update_name(self, name: str) -> None: ...


class _NoSpan:
    """A span that does nothing, used while tracing is off."""

    def set_attribute(self, key: str, value: Value) -> None: ...
    def set_status(self, status: Any) -> None: ...
    def update_name(self, name: str) -> None: ...


_NO_SPAN: Final = _NoSpan()
_tracer: Tracer | None = None
_provider: TracerProvider | None = None


def configure(settings: Settings, part: str) -> None:
    """Export this process's spans as configured in the settings and the OTEL_* variables. `part` is `worker` or
    `serve`.

    Raises MissingExtra if the packages of `auditlane[otel]` are missing, and ConfigError for an invalid OTEL_*
    variable.
    """
    if settings.tracing == "off":
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"{variable('tracing')}={settings.tracing} needs {error.name}.",
            fix="Install it: pip install 'auditlane[otel]'",
        ) from error
    _report_diagnostics()
    named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    attributes = {"service.version": auditlane_version()} | ({} if named else {"service.name": f"auditlane-{part}"})
    try:
        provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    except ValueError as error:
        raise ConfigError(
            f"Tracing cannot be set up: {str(error).rstrip('.')}.",
            fix="Correct the OTEL_* variables, or set AUDITLANE_TRACING=off.",
        ) from error
    use(provider)


def use(provider: TracerProvider | None) -> None:
    """Trace with this provider. Tracing is off if it is None."""
    global _tracer, _provider
    _provider = provider
    _tracer = None if provider is None else provider.get_tracer("auditlane", auditlane_version())


def shutdown() -> None:
    """Export the spans that have ended, within at most `SHUTDOWN_S`, and stop tracing."""
    provider = _provider
    use(None)
    if provider is not None:  # a collector that does not respond would block it for much longer
        stopping = threading.Thread(target=provider.shutdown, name="tracing-shutdown", daemon=True)
        stopping.start()
        stopping.join(SHUTDOWN_S)


def tracer() -> Tracer | None:
    """Return the tracer, or None while tracing is off."""
    return _tracer


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, Value] | None = None,
    *,
    kind: Kind = "internal",
    parent: TraceContext | None = None,
) -> Iterator[Span]:
    """Trace a block as a child of the current span. Without a current span, it is a child of `parent`, a span in
    another process.

    Only the type of an exception is recorded, since its message may quote an event.
    """
    tracer = _tracer
    if tracer is None:
        yield _NO_SPAN
        return
    from opentelemetry.trace import SpanKind

    with tracer.start_as_current_span(
        name,
        context=remote(parent) if parent else None,
        kind=SpanKind[kind.upper()],
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except BaseException as error:
            mark_failed(made, type(error).__name__)
            raise


def mark_failed(span: Span, error: str) -> None:
    """Mark a span as failed, with the name of the error."""
    if span is _NO_SPAN:
        return
    from opentelemetry.trace import Status, StatusCode

    span.set_attribute("error.type", error)
    span.set_status(Status(StatusCode.ERROR, error))


def remote(parent: TraceContext) -> Context:
    """Return a context that makes new spans children of a span in another process."""
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    flags = TraceFlags(TraceFlags.SAMPLED if parent.sampled else TraceFlags.DEFAULT)
    context = SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(context))


@contextmanager
def statement(text: object) -> Iterator[dict[str, str]]:
    """Trace a request to ClickHouse within the current span. Yields the headers that let ClickHouse join the trace.

    `text` is the body. Only its first word is recorded. Nothing is traced unless the current span is sampled, since
    otherwise every poll and probe would start a separate trace. Within a span of kind `client`, no further span is
    created.
    """
    current = trace_context.current() if _tracer is not None else None
    if current is None or not current.sampled:
        yield {}
        return
    from opentelemetry.trace import SpanKind, get_current_span

    if getattr(get_current_span(), "kind", None) is SpanKind.CLIENT:
        yield {trace_context.HEADER: current.traceparent}
        return
    operation = operation_of(text)
    attributes: dict[str, Value] = {"db.system.name": "clickhouse", "db.operation.name": operation}
    with span(f"ClickHouse {operation}", attributes, kind="client"):
        inner = trace_context.sampled_traceparent()
        yield {trace_context.HEADER: inner} if inner else {}


def operation_of(body: object) -> str:
    """Return a statement's first word in upper case, or `statement` if it is not a known keyword. Pure."""
    if isinstance(body, bytes | bytearray | memoryview):
        body = bytes(body[:32]).decode("ascii", "replace")
    found = _OPERATION.match(body[:32]) if isinstance(body, str) else None
    return found[1].upper() if found else "statement"


class _Diagnostics(logging.Handler):
    """Logs OpenTelemetry's own warnings as events, at most one per minute for each of its loggers."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._sampled_log = SampledLog(get("tracing"))

    def emit(self, record: logging.LogRecord) -> None:
        self._sampled_log.warning(
            "tracing.failed", kind=record.name, now=time.monotonic_ns() // 1_000_000, problem=record.getMessage()[:500]
        )


def _report_diagnostics() -> None:
    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    logger.handlers[:] = [_Diagnostics()]
