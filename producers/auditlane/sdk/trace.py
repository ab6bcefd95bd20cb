"""Links events to their trace or request."""

from __future__ import annotations

from typing import Final

from auditlane.runtime import trace_context

_MOST_CHARACTERS: Final = 200


def request_id_of(traceparent: str | None, x_request_id: str | None = None) -> str | None:
    """Return the trace id of a valid `traceparent` header, or else the `X-Request-Id`. Returns None if there is
    neither.

    A client can send any X-Request-Id, so it is truncated to 200 characters, and ignored if any character is not
    printable.
    """
    if traceparent and (found := trace_context.parse(traceparent)):
        return found.trace_id
    given = (x_request_id or "").strip()[:_MOST_CHARACTERS]
    return given if given and given.isprintable() else None
