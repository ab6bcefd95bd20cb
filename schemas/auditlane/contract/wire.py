"""Confluent's wire format: a zero byte, the schema id as four big-endian bytes, then the Avro datum.

Source: the "wire format" section of Confluent's schema registry documentation.
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct(">bI")
HEADER_BYTES = _HEADER.size
MAGIC = b"\x00"


def frame(schema_id: int, datum: bytes) -> bytes:
    """Build a Kafka value from a schema id (unsigned 32 bits) and an Avro datum."""
    return _HEADER.pack(0, schema_id) + datum


def unframe(value: bytes) -> tuple[int, memoryview]:
    """Split a Kafka value into (schema id, datum). Raises ValueError if it is not framed."""
    if len(value) < HEADER_BYTES or value[:1] != MAGIC:
        raise ValueError("the value does not begin with a zero byte and a four-byte schema id")
    return int.from_bytes(value[1:HEADER_BYTES], "big"), memoryview(value)[HEADER_BYTES:]
