"""Resume tokens: encrypted stream positions that are sent as event ids, with which clients resume without loss or
duplicates.

Offsets reveal how many events all tenants have, so a token is encrypted as well as signed. The keystream is derived
from the signing key and the signature. As in SIV, the signature of the content is also the nonce.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.query.base_filter import digest
from auditlane.query.cursor import Mac
from auditlane.query.filters import Filter
from auditlane.query.live.seen_offsets import PartitionPeriod, SeenOffsets
from auditlane.runtime.errors import InvalidCursor

_MAC_BYTES: Final = 16
_LONGEST: Final = 16_384
_VERSION: Final = 2


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """The offsets that a client has seen, in each partition and period with events of its tenant.

    `at_ms` is the time of the position. In all other partitions and periods, no events of the tenant were ingested in
    the hour before it.
    """

    at_ms: int
    seen: Mapping[PartitionPeriod, SeenOffsets]


class ResumeTokens:
    """Seals and opens positions with `mac`."""

    def __init__(self, mac: Mac) -> None:
        self._mac = mac

    def seal(self, scope: TenantScope, filter_: Filter, position: StreamPosition) -> str:
        """Return the token of a position for this tenant and filter, as one line of text."""
        payload = _packed(position)
        signature = self._signature(scope, filter_, payload)
        return base64.urlsafe_b64encode(signature + self._masked(signature, payload)).rstrip(b"=").decode()

    def open(self, scope: TenantScope, filter_: Filter, text: str) -> StreamPosition:
        """Return the position in a token. Raises InvalidCursor unless it was sealed for the same tenant and filter."""
        try:
            if len(text) > _LONGEST:
                raise ValueError("too long")
            raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
            payload = self._masked(raw[:_MAC_BYTES], raw[_MAC_BYTES:])
            if not hmac.compare_digest(raw[:_MAC_BYTES], self._signature(scope, filter_, payload)):
                raise ValueError("wrong signature")
            return _unpacked(payload)
        except (ValueError, StopIteration):
            raise InvalidCursor(
                "The id does not belong to this stream.",
                field="Last-Event-ID",
                fix="Open the stream without an id. To resume, use the same filters.",
            ) from None

    def _signature(self, scope: TenantScope, filter_: Filter, payload: bytes) -> bytes:
        tenant = scope.tenant.encode()
        data = len(tenant).to_bytes(4, "big") + tenant + filter_.digest() + digest(scope) + payload
        return self._mac("stream", data)[:_MAC_BYTES]

    def _masked(self, nonce: bytes, data: bytes) -> bytes:
        stream = b""
        while len(stream) < len(data):
            stream += self._mac("stream-mask", nonce + len(stream).to_bytes(4, "big"))
        return bytes(left ^ right for left, right in zip(data, stream, strict=False))


def _packed(position: StreamPosition) -> bytes:
    out = bytearray([_VERSION])
    _write(out, position.at_ms)
    for (topic, partition, period), seen in sorted(position.seen.items()):
        out += bytes.fromhex(topic.replace("-", ""))
        for number in (partition, period, seen.top + 1, len(seen.gaps)):
            _write(out, number)
        at = 0
        for first, last in seen.gaps:
            _write(out, first - at)
            _write(out, last - first)
            at = last
    return bytes(out)


def _unpacked(data: bytes) -> StreamPosition:
    numbers = iter(data)
    if next(numbers) != _VERSION:
        raise ValueError("unknown version")
    at_ms, seen = _read(numbers), {}
    while topic := bytes(islice(numbers, 16)):
        partition, period, top, count = (_read(numbers) for _ in range(4))
        gaps, at = [], 0
        for _ in range(count):
            first = at + _read(numbers)
            at = first + _read(numbers)
            gaps.append((first, at))
        seen[_dashed(topic.hex()), partition, period] = SeenOffsets(top - 1, tuple(gaps))
    return StreamPosition(at_ms, seen)


def _dashed(text: str) -> str:
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _write(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _read(numbers: Iterator[int]) -> int:
    value = shift = 0
    while (byte := next(numbers)) & 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
    return value | byte << shift
