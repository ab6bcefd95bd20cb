"""OpenTelemetry's current span and the `traceparent` header, without importing OpenTelemetry.

A process that traces has imported it, so these functions find it in `sys.modules`. In any other process, a call costs
one lookup.
"""

from __future__ import annotations

import re
import sys
from typing import Final, NamedTuple

HEADER: Final = "traceparent"  # header of HTTP requests, Kafka messages, and requests to ClickHouse
# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)


class TraceContext(NamedTuple):
    """A span's identity: its ids in hex, and whether its trace is sampled."""

    trace_id: str
    span_id: str
    sampled: bool

    @property
    def traceparent(self) -> str:
        """The value of the `traceparent` header."""
        return f"00-{self.trace_id}-{self.span_id}-{self.sampled:02x}"


def parse(traceparent: str) -> TraceContext | None:
    """Return the content of a `traceparent` header, or None if it is invalid. Pure."""
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    return TraceContext(found[1], found[2], bool(int(found[3], 16) & 1)) if found else None


def current() -> TraceContext | None:
    """Return OpenTelemetry's current span. Returns None if there is no span, or if OpenTelemetry is not in use."""
    # While another thread imports the module, it exists but is empty.
    module = sys.modules.get("opentelemetry.trace")
    get_current_span = None if module is None else getattr(module, "get_current_span", None)
    if get_current_span is None:
        return None
    current_span = get_current_span()
    if current_span is getattr(module, "INVALID_SPAN", None):  # the usual case without a span
        return None
    span = current_span.get_span_context()
    if not span.is_valid:
        return None
    return TraceContext(f"{span.trace_id:032x}", f"{span.span_id:016x}", span.trace_flags.sampled)


def sampled_traceparent() -> str | None:
    """Return the `traceparent` header for the current span. Returns None if there is no span, or if its trace is not
    sampled.
    """
    found = current()
    return found.traceparent if found is not None and found.sampled else None
