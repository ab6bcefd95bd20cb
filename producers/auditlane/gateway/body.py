"""A request's body as slices of posted values, read by the piece: NDJSON line by line, a JSON document as one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from auditlane.gateway.ndjson import BOM, Line, LineSplitter, parse, value_of
from auditlane.runtime.errors import BodyTooLarge, InvalidInput, MediaTypeUnsupported

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
