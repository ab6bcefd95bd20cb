"""Writes the current context's values to a task message's headers, and reads them back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from auditlane.sdk.context import AuditContext, carried, restored

HEADER: Final = "auditlane"
_MOST_CHARACTERS: Final = 8_000  # maximum total length of all values; brokers limit headers


def put_in(headers: dict[str, Any]) -> None:
    """Add the current context's values to a message's headers. A message that already has values, such as a forwarded
    one, keeps them."""
    if HEADER in headers:
        return
    room = _MOST_CHARACTERS
    values: dict[str, str] = {}
    for name, value in carried().items():  # metadata is last
        room -= len(name) + len(value)
        if room < 0:
            break
        values[name] = value
    if values:
        headers[HEADER] = values


def taken_from(headers: Mapping[str, Any] | None, *, request_id: str) -> AuditContext | None:
    """Return the context that a message carries, or None if it carries none.

    `request_id` is used if the message has none. Anyone who may send tasks may send any header, so values that are not
    text are ignored.
    """
    found = (headers or {}).get(HEADER)
    if not isinstance(found, Mapping):
        return None
    texts = {name: value for name, value in found.items() if isinstance(name, str) and isinstance(value, str)}
    context = restored(texts)
    context.request_id = context.request_id or request_id
    return context
