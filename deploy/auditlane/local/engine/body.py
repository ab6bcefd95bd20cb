"""The body of a request as it comes in: framed by length or in chunks, perhaps compressed, and whole or refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from auditlane.local.engine.errors import BAD_ARGUMENTS, CANNOT_READ_ALL_DATA, EngineError

PIECE = 1 << 20
_LINE = 1 << 10


class Reader(Protocol):
    """The buffered reading side of a connection."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...
    def readline(self, limit: int = ..., /) -> bytes: ...


class Body:
    """The pieces of a body, each valid until the next. `whole` once it has been read to its end.

    Iterating raises EngineError when the connection ends before the body does, or its framing is not HTTP's.
    """

    def __init__(self, reader: Reader, *, length: str | None, transfer: str | None) -> None:
        self._pieces = _framed(reader, length, transfer)
        self.whole = length in {None, "0"} and transfer is None

    def __iter__(self) -> Iterator[memoryview]:
        yield from self._pieces
        self.whole = True


def _framed(reader: Reader, length: str | None, transfer: str | None) -> Iterator[memoryview]:
    if transfer is not None:
        if transfer.strip().lower() != "chunked" or length is not None:
            raise EngineError(BAD_ARGUMENTS, f"Transfer-Encoding {transfer!r} is not supported")
        yield from _chunks(reader)
    elif length is not None:
        if not (length.isascii() and length.isdigit()):
            raise EngineError(BAD_ARGUMENTS, f"Content-Length {length!r} is not a number")
        yield from _exactly(reader, int(length), memoryview(bytearray(min(int(length), PIECE) or 1)))


def _exactly(reader: Reader, count: int, buffer: memoryview) -> Iterator[memoryview]:
    left = count
    while left:
        got = reader.readinto(buffer[: min(left, len(buffer))])
        if not got:
            raise EngineError(CANNOT_READ_ALL_DATA, f"The body ended {left} bytes before the length it declared")
        left -= got
        yield buffer[:got]


def _chunks(reader: Reader) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(PIECE))
    while size := _chunk_size(reader):
        yield from _exactly(reader, size, buffer)
        if reader.readline(_LINE) != b"\r\n":
            raise EngineError(CANNOT_READ_ALL_DATA, "A chunk of the body did not end where its size said")
    while line := reader.readline(_LINE):  # trailers
        if line == b"\r\n":
            return
    raise EngineError(CANNOT_READ_ALL_DATA, "The body ended before its last chunk was closed")


def _chunk_size(reader: Reader) -> int:
    line = reader.readline(_LINE)
    digits = line.split(b";", 1)[0].strip()
    if not line.endswith(b"\n"):
        raise EngineError(CANNOT_READ_ALL_DATA, "The body ended before its last chunk")
    try:
        if not digits.isalnum():
            raise ValueError(digits)
        return int(digits, 16)
    except ValueError:
        raise EngineError(BAD_ARGUMENTS, "A chunk of the body has no valid size") from None
