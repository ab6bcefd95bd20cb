"""The content coding of a body, undone by the piece: a small body that becomes a large one is never held as a whole."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Final, Protocol

from auditlane.runtime.errors import InvalidInput, MediaTypeUnsupported
from auditlane.runtime.zstandard import HTTP_WINDOW, ZstdError, http_decompressor

PIECE: Final = 64 << 10  # bytes that are decompressed at once, while others wait
_MEMBERS: Final = 64  # … and members, of which each may hold nothing


class Coding(StrEnum):
    gzip = "gzip"
    zstd = "zstd"


_NAMES: Final = {"gzip": Coding.gzip, "x-gzip": Coding.gzip, "zstd": Coding.zstd}  # RFC 9110 has the second
_WINDOWS: Final = {Coding.gzip: 32 << 10, Coding.zstd: HTTP_WINDOW}


def coding_of(content_encoding: str) -> Coding | None:
    """What the header announces, its lines joined by commas; None for a body as it is.

    Raises MediaTypeUnsupported for another coding, and for several.
    """
    name = content_encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name not in _NAMES:
        raise MediaTypeUnsupported(
            f"The body's encoding {content_encoding[:40]!r} is not read here.",
            field="Content-Encoding",
            fix="Send it with one of gzip and zstd, or as it is, without Content-Encoding.",
        )
    return _NAMES[name]


async def decoded(pieces: AsyncIterator[bytes], coding: Coding, count: Callable[[int], None]) -> AsyncIterator[bytes]:
    """The body behind its coding, in pieces of at most PIECE bytes; `count` is told what memory the decoder takes.

    The last piece is given only when the body is known to be whole, so that a small one that is cut short gives
    nothing. Raises InvalidInput for one that is cut short or not of this coding.
    """
    held = b""
    async for piece in _undone(pieces, coding, count):
        if held:
            yield held
        held = piece
    if held:
        yield held


async def _undone(pieces: AsyncIterator[bytes], coding: Coding, count: Callable[[int], None]) -> AsyncIterator[bytes]:
    member: _Member | None = None
    seen = window = 0
    async for rest in pieces:
        while rest or member:
            if member is None:
                member, seen = _begun(coding), seen + 1
                if seen % _MEMBERS == 0:
                    await asyncio.sleep(0)
            try:
                found, rest = member.some(rest)
            except (zlib.error, ZstdError) as error:
                raise InvalidInput(f"The body is not {coding}: {error}", field="body") from None
            if found:
                if more := min(len(found), _WINDOWS[coding] - window):
                    window += more
                    count(more)
                yield found
            if member.ended:
                member = None
            elif len(found) == PIECE:
                await asyncio.sleep(0)
            elif not rest:
                break
    if member or not seen:
        raise InvalidInput(
            f"The body's {coding} is cut short.", field="body", fix="Send it whole, to the end that the coding has."
        )


class _Member(Protocol):
    """One gzip member or zstd frame; a body may have several, one after another."""

    @property
    def ended(self) -> bool: ...

    def some(self, data: bytes) -> tuple[bytes, bytes]:
        """At most PIECE bytes of its content, and what is left of the data. Fewer mean that it needs more data."""


class _Gzip:
    def __init__(self) -> None:
        self._raw = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def ended(self) -> bool:
        return self._raw.eof

    def some(self, data: bytes) -> tuple[bytes, bytes]:
        found = self._raw.decompress(data, PIECE)
        return found, self._raw.unused_data if self._raw.eof else self._raw.unconsumed_tail


class _Zstd:
    def __init__(self) -> None:
        self._raw = http_decompressor()

    @property
    def ended(self) -> bool:
        return self._raw.eof

    def some(self, data: bytes) -> tuple[bytes, bytes]:
        found = self._raw.decompress(data, PIECE)
        return found, self._raw.unused_data if self._raw.eof else b""  # it keeps what it has not read yet


def _begun(coding: Coding) -> _Member:
    return _Gzip() if coding is Coding.gzip else _Zstd()
