"""Link events to the trace or request that they belong to."""

from __future__ import annotations

import re
import sys
from typing import Final

# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_MOST_CHARACTERS: Final = 200


def request_id_of(traceparent: str | None, x_request_id: str | None = None) -> str | None:
    """Return the trace id of a valid `traceparent` header, else the `X-Request-Id`, else None.

    A client can send any X-Request-Id, so it is truncated to 200 characters, and ignored if any is not printable.
    """
    if traceparent and (found := _TRACEPARENT.fullmatch(traceparent.strip())):
        return found[1]
    given = (x_request_id or "").strip()[:_MOST_CHARACTERS]
    return given if given and given.isprintable() else None


def current_span() -> tuple[str, str] | None:
    """Return (trace id, span id) of OpenTelemetry's current span in hex, or None without a span or OpenTelemetry.

    OpenTelemetry is never imported here: a process that traces has imported it.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span().get_span_context()
    return (f"{span.trace_id:032x}", f"{span.span_id:016x}") if span.is_valid else None
