"""Read a request's body as a stream: decompress it, limit its size, and parse its JSON values.

NDJSON is parsed line by line, and a JSON document at once. A small body that decompresses to a large one is never held
in memory completely.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Any, Final, Protocol

from auditlane.contract.event_json import finite, no_constant, problem_of
from auditlane.runtime.errors import BodyTooLarge, EventTooLarge, InvalidEvent, InvalidInput, MediaTypeUnsupported
from auditlane.runtime.zstandard import HTTP_WINDOW, ZstdError, http_decompressor

PIECE: Final = 64 << 10  # number of bytes to decompress before other tasks get a turn on the event loop
_MEMBERS: Final = 64  # number of members before other tasks get a turn, since empty members never add up to a PIECE


class Coding(StrEnum):
    gzip = "gzip"
    zstd = "zstd"


_NAMES: Final = {"gzip": Coding.gzip, "x-gzip": Coding.gzip, "zstd": Coding.zstd}  # x-gzip: RFC 9110, 8.4.1.3
_WINDOWS: Final = {Coding.gzip: 32 << 10, Coding.zstd: HTTP_WINDOW}


def coding_of(content_encoding: str) -> Coding | None:
    """Return the coding in a `Content-Encoding` header, or None for an uncompressed body.

    Raises MediaTypeUnsupported for any other coding, or for more than one.
    """
    name = content_encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name not in _NAMES:
        raise MediaTypeUnsupported(
            f"The content encoding {content_encoding[:40]!r} is not supported.",
            field="Content-Encoding",
            fix="Use gzip or zstd, or send the body uncompressed without Content-Encoding.",
        )
    return _NAMES[name]


async def decoded(pieces: AsyncIterator[bytes], coding: Coding, count: Callable[[int], None]) -> AsyncIterator[bytes]:
    """Decompress the body into chunks of at most PIECE bytes. `count` is called with the size of the decoder's memory
    in bytes.

    The last chunk is withheld until the body is known to be complete, so that a small truncated body yields nothing.
    Raises InvalidInput if the body is truncated or in another coding.
    """
    withheld = b""
    async for piece in _decompressed(pieces, coding, count):
        if withheld:
            yield withheld
        withheld = piece
    if withheld:
        yield withheld


async def _decompressed(
    pieces: AsyncIterator[bytes], coding: Coding, count: Callable[[int], None]
) -> AsyncIterator[bytes]:
    member: _Member | None = None
    members = window = 0
    async for rest in pieces:
        while rest or member:
            if member is None:
                member, members = _new_member(coding), members + 1
                if members % _MEMBERS == 0:
                    await asyncio.sleep(0)
            try:
                content, rest = member.decompress(rest)
            except (zlib.error, ZstdError) as error:
                raise InvalidInput(f"The body is not {coding}: {error}", field="body") from None
            if content:
                if more := min(len(content), _WINDOWS[coding] - window):
                    window += more
                    count(more)
                yield content
            if member.ended:
                member = None
            elif len(content) == PIECE:
                await asyncio.sleep(0)
            elif not rest:
                break
    if member or not members:
        raise InvalidInput(f"The {coding} body is truncated.", field="body", fix="Send the complete body.")


class _Member(Protocol):
    """Decompresses one gzip member or zstd frame. A body may consist of several of them."""

    @property
    def ended(self) -> bool: ...

    def decompress(self, data: bytes) -> tuple[bytes, bytes]:
        """Return decompressed content and the rest of `data`. If the content is shorter than PIECE bytes, more data is
        needed.
        """


class _Gzip:
    def __init__(self) -> None:
        self._raw = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def ended(self) -> bool:
        return self._raw.eof

    def decompress(self, data: bytes) -> tuple[bytes, bytes]:
        content = self._raw.decompress(data, PIECE)
        return content, self._raw.unused_data if self._raw.eof else self._raw.unconsumed_tail


class _Zstd:
    def __init__(self) -> None:
        self._raw = http_decompressor()

    @property
    def ended(self) -> bool:
        return self._raw.eof

    def decompress(self, data: bytes) -> tuple[bytes, bytes]:
        content = self._raw.decompress(data, PIECE)
        return content, self._raw.unused_data if self._raw.eof else b""  # the decoder itself keeps unread input


def _new_member(coding: Coding) -> _Member:
    return _Gzip() if coding is Coding.gzip else _Zstd()


BOM: Final = b"\xef\xbb\xbf"
Line = bytes | InvalidEvent


class LineSplitter:
    """Splits chunks of any size into lines. Buffers at most one unfinished line, of at most `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._unfinished: list[bytes] = []
        self._size = 0
        self._begun = False

    def feed(self, piece: bytes) -> list[Line]:
        """Return the non-blank lines that end in this chunk. A line over the limit becomes an EventTooLarge."""
        first, *others = piece.split(b"\n")
        self._append(first)
        if not others:
            return []
        *complete, last = others
        lines = [self._finish(), *(self._line(text, len(text)) for text in complete)]
        self._append(last)
        return [line for line in lines if line]

    def end(self) -> list[Line]:
        """Return the last line if it does not end in a newline."""
        line = self._finish()
        return [line] if line else []

    def _append(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._max_bytes:
            self._unfinished.append(part)
        else:
            self._unfinished.clear()

    def _finish(self) -> Line:
        line = self._line(b"".join(self._unfinished), self._size)
        self._unfinished.clear()
        self._size = 0
        return line

    def _line(self, text: bytes, size: int) -> Line:
        if not self._begun:
            self._begun = True
            text = text.removeprefix(BOM)
        if size > self._max_bytes:
            return EventTooLarge(f"The line exceeds {self._max_bytes} bytes.")
        return text.strip()


def value_of(line: Line) -> object:
    """Parse a line as JSON. On failure, return an InvalidEvent instead of raising it."""
    if isinstance(line, InvalidEvent):
        return line
    try:
        return parse(line)
    except ValueError as error:
        return InvalidEvent(f"The line is not JSON: {error}")


_DECODER: Final = json.JSONDecoder(parse_float=finite, parse_constant=no_constant)


def parse(text: bytes, decoder: json.JSONDecoder = _DECODER) -> Any:
    """Parse JSON text. Raises ValueError with a message that is written to follow a colon."""
    try:
        return decoder.decode(text.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 at byte {error.start + 1}.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos + 1}.") from None
    except RecursionError:
        raise ValueError("it is nested too deeply.") from None
    except ValueError as error:
        raise ValueError(problem_of(error)) from None


NDJSON = ("application/x-ndjson", "application/jsonl", "application/ndjson", "application/x-jsonlines")
JSON = ("application/json",)


def is_lines(content_type: str) -> bool:
    """Return whether a `Content-Type` header names NDJSON rather than JSON. Raises MediaTypeUnsupported for any other
    type.
    """
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if media_type not in NDJSON + JSON or charset not in ("", "utf-8", "utf8"):
        raise MediaTypeUnsupported(
            f"The content type {content_type[:80]!r} is not supported." if content_type else "Content-Type is missing.",
            field="Content-Type",
            fix=f"Use {JSON[0]} for an event or an array, {NDJSON[0]} for one event per line; both in UTF-8.",
        )
    return media_type in NDJSON


async def bounded(pieces: AsyncIterator[bytes], max_bytes: int, what: str = "The body") -> AsyncIterator[bytes]:
    """Yield the non-empty chunks. Raises BodyTooLarge, naming `what`, once they exceed `max_bytes`."""
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > max_bytes:
            raise BodyTooLarge(
                f"{what} exceeds the limit of {max_bytes} bytes.",
                fix="Send fewer events per request, or NDJSON, which has a higher limit.",
            )
        if piece:
            yield piece


async def counted(pieces: AsyncIterator[bytes], count: Callable[[int], None], limit: int) -> AsyncIterator[bytes]:
    """Yield the chunks. `count` is called with their sizes, up to a total of `limit` bytes."""
    async for piece in pieces:
        if limit > 0:
            count(min(len(piece), limit))
            limit -= len(piece)
        yield piece


async def document(pieces: AsyncIterator[bytes]) -> list[object]:
    """Parse a JSON document into a list of events. Raises InvalidInput unless it is an object or an array."""
    text = b"".join([piece async for piece in pieces])
    try:
        value = parse(text.removeprefix(BOM))
    except ValueError as error:
        raise InvalidInput(f"The body is not JSON: {error}", field="body") from None
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        return value
    raise InvalidInput("The body must be a JSON object or an array of objects.", field="body")


async def values(pieces: AsyncIterator[bytes], max_line_bytes: int) -> AsyncIterator[tuple[list[object], int]]:
    """Yield an NDJSON body's values with their size in bytes. Values that arrive together are yielded together.

    A line over `max_line_bytes` becomes an EventTooLarge.
    """
    splitter = LineSplitter(max_line_bytes)
    async for piece in pieces:
        if lines := splitter.feed(piece):
            yield _parsed(lines)
    if lines := splitter.end():
        yield _parsed(lines)


def _parsed(lines: list[Line]) -> tuple[list[object], int]:
    return [value_of(line) for line in lines], sum(len(line) for line in lines if isinstance(line, bytes))
