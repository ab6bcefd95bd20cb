"""Messages that name their schema by its GUID in a header, as Confluent's newer serializers do.

While such a message is in memory the GUID stands before its value, so that it is counted, digested and validated with
it; where it leaves again, as a dead letter or a replayed one, the GUID is a header again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

HEADER: Final = "__value_schema_id"
_VERSION: Final = b"\x01"  # of the header's form: this byte, then the GUID's sixteen
MARK: Final = b"\xffguid"  # no frame begins so
PREFIX_BYTES: Final = len(MARK) + 16  # the mark and the GUID


def joined(value: bytes | None, headers: Iterable[tuple[str, Any]]) -> bytes | None:
    """The value as it is held in memory: with the GUID of its schema before it, where the last such header has one."""
    found = [content for name, content in headers if name == HEADER]
    if value is None or not found or not isinstance(found[-1], bytes):
        return value
    form, guid = found[-1][:1], found[-1][1:]
    return MARK + guid + value if form == _VERSION and len(guid) == 16 else value


def parted(value: bytes | None) -> tuple[bytes | None, list[tuple[str, bytes]]]:
    """The value as it is in Kafka, and the header that belongs to it; the reverse of `joined`."""
    if value is None or guid_of(value) is None:
        return value, []
    return value[PREFIX_BYTES:], [(HEADER, _VERSION + value[len(MARK) : PREFIX_BYTES])]


def guid_of(value: bytes | None) -> UUID | None:
    """The GUID that stands before the value."""
    if value is None or len(value) < PREFIX_BYTES or not value.startswith(MARK):
        return None
    return UUID(bytes=value[len(MARK) : PREFIX_BYTES])
