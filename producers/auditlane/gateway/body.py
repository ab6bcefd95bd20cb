"""A request's body by the piece: its content coding undone, bounded, and read as posted JSON values.

NDJSON is read line by line, a JSON document as one. A small body that becomes a large one is never held as a whole.
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


BOM: Final = b"\xef\xbb\xbf"
Line = bytes | InvalidEvent


class LineSplitter:
    """Feed it pieces of any size. It holds one unfinished line at most, and not even that past `longest` bytes."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest: list[bytes] = []
        self._size = 0
        self._begun = False

    def feed(self, piece: bytes) -> list[Line]:
        """The lines that end in this piece; blank ones are left out, a longer one is an EventTooLarge."""
        first, *others = piece.split(b"\n")
        self._hold(first)
        if not others:
            return []
        *whole, last = others
        found = [self._taken(), *(self._line(one, len(one)) for one in whole)]
        self._hold(last)
        return [line for line in found if line]

    def end(self) -> list[Line]:
        """The last line, when no newline ends it."""
        line = self._taken()
        return [line] if line else []

    def _hold(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._longest:
            self._rest.append(part)
        else:
            self._rest.clear()

    def _taken(self) -> Line:
        line = self._line(b"".join(self._rest), self._size)
        self._rest.clear()
        self._size = 0
        return line

    def _line(self, text: bytes, size: int) -> Line:
        if not self._begun:
            self._begun = True
            text = text.removeprefix(BOM)
        if size > self._longest:
            return EventTooLarge(f"The line has more than {self._longest} bytes.")
        return text.strip()


def value_of(line: Line) -> object:
    """The JSON value of a line; an InvalidEvent, returned and not raised, where it has none."""
    if isinstance(line, InvalidEvent):
        return line
    try:
        return parse(line)
    except ValueError as error:
        return InvalidEvent(f"The line is not JSON: {error}")


_DECODER: Final = json.JSONDecoder(parse_float=finite, parse_constant=no_constant)


def parse(text: bytes, decoder: json.JSONDecoder = _DECODER) -> Any:
    """The JSON value. Raises ValueError whose message follows a colon."""
    try:
        return decoder.decode(text.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 at byte {error.start + 1}.") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos + 1}.") from None
    except RecursionError:
        raise ValueError("it is nested too deep.") from None
    except ValueError as error:
        raise ValueError(problem_of(error)) from None


NDJSON = ("application/x-ndjson", "application/jsonl", "application/ndjson", "application/x-jsonlines")
JSON = ("application/json",)


def is_lines(content_type: str) -> bool:
    """Whether the header announces NDJSON; false for one JSON document. Raises MediaTypeUnsupported."""
    media_type, _, parameters = content_type.partition(";")
    media_type = media_type.strip().lower()
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if media_type not in NDJSON + JSON or charset not in ("", "utf-8", "utf8"):
        raise MediaTypeUnsupported(
            f"Events are not read from {content_type[:80]!r}." if content_type else "The body's type is not named.",
            field="Content-Type",
            fix=f"Send {JSON[0]} for an event or an array, {NDJSON[0]} for an event a line; both in UTF-8.",
        )
    return media_type in NDJSON


async def bounded(pieces: AsyncIterator[bytes], most: int, what: str = "The body") -> AsyncIterator[bytes]:
    """The pieces that are not empty. Raises BodyTooLarge, of `what`, once they are more than `most` bytes."""
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > most:
            raise BodyTooLarge(
                f"{what} has more than {most} bytes.",
                fix="Send fewer events in a request, or NDJSON, which may be longer.",
            )
        if piece:
            yield piece


async def counted(pieces: AsyncIterator[bytes], count: Callable[[int], None], most: int) -> AsyncIterator[bytes]:
    """The pieces, of which `count` is told until they are `most` bytes."""
    async for piece in pieces:
        if most > 0:
            count(min(len(piece), most))
            most -= len(piece)
        yield piece


async def document(pieces: AsyncIterator[bytes]) -> list[object]:
    """The events of a JSON object or array. Raises InvalidInput when the body is neither."""
    text = b"".join([piece async for piece in pieces])
    try:
        value = parse(text.removeprefix(BOM))
    except ValueError as error:
        raise InvalidInput(f"The body is not JSON: {error}", field="body") from None
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        return value
    raise InvalidInput("The body is neither a JSON object nor an array of them.", field="body")


async def values(pieces: AsyncIterator[bytes], longest: int) -> AsyncIterator[tuple[list[object], int]]:
    """The values of NDJSON, as many at once as arrive together, and how many bytes they were.

    A line over `longest` bytes is an EventTooLarge.
    """
    lines = LineSplitter(longest)
    async for piece in pieces:
        if found := lines.feed(piece):
            yield _read(found)
    if found := lines.end():
        yield _read(found)


def _read(lines: list[Line]) -> tuple[list[object], int]:
    return [value_of(line) for line in lines], sum(len(line) for line in lines if isinstance(line, bytes))
