"""A segment's file format: a header, followed by frames that contain one record each. Performs no I/O.

A frame consists of a marker, the payload's length, the length's complement, a CRC-32 of the length and payload, and the
payload. The checksum starts from the set's name, which is random. Therefore, bytes inside an event that look like a
frame are never read as a record, even if the frame around them is damaged.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

VERSION: Final = 1
HEADER_BYTES: Final = 16
_MAGIC: Final = b"auditlsp"
_HEADER: Final = struct.Struct("<8sHHI")  # magic, version, zero, CRC-32 of the preceding bytes
_MARKER: Final = b"\xf5RE\xf5"  # 0xf5 does not occur in UTF-8
_FRAME: Final = struct.Struct("<4sIII")
_LENGTH: Final = struct.Struct("<I")
_FIXED: Final = struct.Struct("<BQQQBBHHH")
_ONES: Final = 0xFFFF_FFFF
_ENCODED: Final = 1  # kind of a record whose value is a Kafka value
_UNENCODED: Final = 2  # kind of a record whose value is the event as JSON


class Record(NamedTuple):
    """One event.

    `number` counts the set's records from 1. `nth` counts those of the tenant that were written from memory, and is 0
    for the others. `emitted_us` is the time of `emit` in microseconds since 1970. `unencoded` means that the value is
    JSON, which has to be encoded with its tenant's contract before it is sent.
    """

    number: int
    nth: int
    emitted_us: int
    tenant: str
    event_id: str
    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    unencoded: bool = False


Row = tuple[int, int, int, str, str, str, bytes, bytes, tuple[tuple[str, bytes], ...], bool]  # a Record's fields


class Found(NamedTuple):
    """A record with its frame's start and end position."""

    start: int
    end: int
    record: Record


class Damage(NamedTuple):
    """Bytes from `start` to `end` that are not a valid record. At least one record was lost there."""

    start: int
    end: int


class Torn(NamedTuple):
    """An incomplete frame at a segment's end: the process ended while writing it."""

    start: int


def header(version: int = VERSION) -> bytes:
    """Return a segment's header."""
    start = _HEADER.pack(_MAGIC, version, 0, 0)[:-4]
    return start + _LENGTH.pack(zlib.crc32(start))


def version_of(data: bytes) -> int | None:
    """Return the version in a segment's header, or None if the header is incomplete or damaged."""
    if len(data) < HEADER_BYTES:
        return None
    magic, version, _, checksum = _HEADER.unpack_from(data)
    if magic != _MAGIC or checksum != zlib.crc32(data[: HEADER_BYTES - 4]):
        return None
    return int(version)


def seed_of(name: str) -> int:
    """Return the checksums' start value for the set with this name."""
    return zlib.crc32(name.encode())


def frame(record: Row, seed: int) -> bytes:
    """Encode a record. A plain tuple takes less time to create than a Record."""
    number, nth, emitted_us, tenant_id, event_id, topic, key, value, headers, unencoded = record
    tenant, identity, place = tenant_id.encode(), event_id.encode(), topic.encode()
    kind = _UNENCODED if unencoded else _ENCODED
    fixed = _FIXED.pack(kind, number, nth, emitted_us, len(tenant), len(identity), len(place), len(key), len(headers))
    packed = _packed(headers) if headers else b""
    payload = b"".join((fixed, tenant, identity, place, key, packed, value))
    size = len(payload)
    checksum = zlib.crc32(payload, zlib.crc32(_LENGTH.pack(size), seed))
    return _FRAME.pack(_MARKER, size, size ^ _ONES, checksum) + payload


def _packed(headers: tuple[tuple[str, bytes], ...]) -> bytes:
    packed = b""
    for name, content in headers:
        encoded = name.encode()
        packed += _LENGTH.pack(len(encoded)) + encoded + _LENGTH.pack(len(content)) + content
    return packed


def scan(data: bytes, seed: int, at: int = HEADER_BYTES) -> Iterator[Found | Damage | Torn]:
    """Yield what a segment's bytes contain, from position `at` to the end without gaps."""
    while at < len(data):
        if (found := _read(data, seed, at)) is None:
            following = _next(data, seed, at + 1)
            if following is None:
                yield Torn(at) if _is_torn(data, at) else Damage(at, len(data))
                return
            yield Damage(at, following.start)
            found = following
        yield found
        at = found.end


def _read(data: bytes, seed: int, at: int) -> Found | None:
    """Return the record whose frame starts at this position, or None if no valid frame does."""
    start = at + _FRAME.size
    if start > len(data):
        return None
    marker, size, complement, checksum = _FRAME.unpack_from(data, at)
    if marker != _MARKER or size ^ complement != _ONES or start + size > len(data):
        return None
    payload = data[start : start + size]
    if zlib.crc32(payload, zlib.crc32(_LENGTH.pack(size), seed)) != checksum:
        return None
    record = _record(payload)
    return None if record is None else Found(at, start + size, record)


def _next(data: bytes, seed: int, at: int) -> Found | None:
    """Return the first record whose frame starts at or after this position, or None at the end."""
    while (at := data.find(_MARKER, at)) >= 0:
        if found := _read(data, seed, at):
            return found
        at += 1
    return None


def _is_torn(data: bytes, at: int) -> bool:
    """Return whether the bytes from `at` to the end may be an incomplete frame, or space that was never written."""
    rest = data[at : at + _FRAME.size]
    if rest[:4] != _MARKER[: len(rest)]:
        return data.count(0, at) == len(data) - at
    if len(rest) < _FRAME.size:
        return True
    _, size, complement, _ = _FRAME.unpack(rest)
    return bool(size ^ complement == _ONES and at + _FRAME.size + size > len(data))


def _record(payload: bytes) -> Record | None:
    """Decode a payload with a correct checksum, or return None for a kind of record that this version does not know."""
    kind, number, nth, emitted_us, tenant, event_id, topic, key, count = _FIXED.unpack_from(payload)
    if kind not in (_ENCODED, _UNENCODED):
        return None
    at = _FIXED.size

    def take(size: int) -> bytes:
        nonlocal at
        at += size
        return payload[at - size : at]

    texts = take(tenant).decode(), take(event_id).decode(), take(topic).decode()
    the_key = take(key)
    headers = []
    for _ in range(count):
        name = take(_LENGTH.unpack(take(4))[0]).decode()
        headers.append((name, take(_LENGTH.unpack(take(4))[0])))
    return Record(number, nth, emitted_us, *texts, the_key, payload[at:], tuple(headers), kind == _UNENCODED)
