"""Messages that name their schema by a GUID in a header, as written by Confluent's newer serializers.

In memory, the GUID is prepended to the message's value, so that it is counted, digested and validated with it. When the
message is written as a dead letter or by a replay, it becomes a header again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

HEADER: Final = "__value_schema_id"
_VERSION: Final = b"\x01"  # header format: this byte, then the GUID's sixteen bytes
MARK: Final = b"\xffguid"  # differs from the first byte of Confluent's frame
PREFIX_BYTES: Final = len(MARK) + 16  # the mark and the GUID


def prepend_guid(value: bytes | None, headers: Iterable[tuple[str, Any]]) -> bytes | None:
    """Return the value with its schema's GUID prepended, if the last header with that name contains one."""
    found = [content for name, content in headers if name == HEADER]
    if value is None or not found or not isinstance(found[-1], bytes):
        return value
    form, guid = found[-1][:1], found[-1][1:]
    return MARK + guid + value if form == _VERSION and len(guid) == 16 else value


def split_guid(value: bytes | None) -> tuple[bytes | None, list[tuple[str, bytes]]]:
    """Split a value with a GUID into Kafka's value and its headers, as the inverse of `prepend_guid`."""
    if value is None or guid_of(value) is None:
        return value, []
    return value[PREFIX_BYTES:], [(HEADER, _VERSION + value[len(MARK) : PREFIX_BYTES])]


def guid_of(value: bytes | None) -> UUID | None:
    """Return the GUID that is prepended to the value, or None if the value has no such prefix."""
    if value is None or len(value) < PREFIX_BYTES or not value.startswith(MARK):
        return None
    return UUID(bytes=value[len(MARK) : PREFIX_BYTES])
