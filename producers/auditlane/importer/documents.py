"""Extracts records from CloudTrail's JSON as its bytes arrive, from any envelope.

A file, or several files concatenated, is read as a sequence of JSON documents. A document is a record, an array, or an
object that contains a list of records at any depth. After an error, reading resumes at the next recognizable record or
document. Only a broken record itself is lost, or the missing part of a truncated document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from auditlane.importer.envelopes import LISTS, holds_records, is_record, unwrapped, within
from auditlane.importer.json_stream import JsonStream
from auditlane.importer.sources import MAX_ITEM_BYTES, Item, Source

# Documents may be joined by commas, and a broken one leaves its closing brackets behind.
_APART: Final = re.compile(r"[\s,\]}\ufeff]*")
# The prefix that `aws logs` and a CloudWatch Logs export put before each message.
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)[ \t]{1,8}(?=[{\[])")
_LONGEST_STAMP: Final = 64
_COMMAS: Final = re.compile(r"[\s,]*")
_SPACE: Final = re.compile(r"\s*")
# Unambiguous starts of another document: a line that opens one, or `{"Records": [`, which never occurs in a record.
_NEXT: Final = re.compile(r'\{\s*"Records"\s*:\s*\[|(?<=\n)[{\[]')
# Likely starts of another document on a truncated document's line. A value in a record may look the same.
_LIKELY: Final = re.compile(
    r"\[?\s*\{\s*\""
    r"(?:Records|[Ee]vents|logEvents|messageType|version|eventVersion|eventI[Dd]|EventId|eventTime|eventName|awsAccountId)"
    r"\"\s*:"
)
_TOKEN: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|[{}\[\]"]')
_BEFORE_VALUE: Final = re.compile(r"[:\[,]\s*\Z")
_AFTER_VALUE: Final = re.compile(r"\s*[,\]}]")
_DECODER: Final = json.JSONDecoder()
_PLAIN: Final = re.compile(r"[^\n,\]]*")
_LINE: Final = re.compile(r"[^\n]*")
_DEEPEST: Final = 4  # maximum nesting depth of lists of records
_CUT_OFF: Final = "is truncated or broken; the rest of its document, if any, cannot be parsed"


def records(source: Source) -> Iterator[Item]:
    """Yield each record, and an item with a problem for data that is not a record.

    Raises InvalidInput at the end of a damaged file.
    """
    stream = JsonStream(source)
    yield from _Records(stream).all()
    stream.raise_for_damage()


class _Records:
    def __init__(self, stream: JsonStream, number: int = 0, within: int = 0) -> None:
        """Create a reader. `number` is the number of the last item before it, and `within` is the nesting depth of JSON
        strings around the stream.
        """
        self._stream = stream
        self._number = number
        self._within = within
        # whether the current document was abandoned; the next value then belongs to another document
        self._lost = False

    def all(self) -> Iterator[Item]:
        while self._stream.skip(_APART):
            self._lost = False
            self._stream.skip_once(_STAMP, _LONGEST_STAMP)
            yield from self._value(0)

    def _value(self, depth: int) -> Iterator[Item]:
        """Yield the records in the value at the front, and move past the value."""
        stream = self._stream
        if stream.first == "[" and depth < _DEEPEST:
            stream.advance(1)
            yield from self._elements(depth + 1)
            return
        found = stream.value(LISTS if depth < _DEEPEST else frozenset(), is_record)
        if found is None:
            yield self._broken(depth)
        elif found.list_at:
            stream.advance(found.list_at + 1)
            yield from self._elements(depth + 1)
            for _ in range(found.levels + 1):
                if not self._lost:
                    yield from self._members(depth)
        elif depth < _DEEPEST and found.text.startswith("{") and not within(found.value) and holds_records(found.value):
            stream.advance(1)
            yield from self._members(depth, nested=True)
        else:
            stream.advance(len(found.text))
            yield from self._items(found.value, found.text)

    def _elements(self, depth: int) -> Iterator[Item]:
        """Yield the records in an array whose opening bracket has been read. Extra commas are tolerated."""
        while self._stream.skip(_COMMAS):
            if self._stream.first == "]":
                self._stream.advance(1)
                return
            if self._stream.first == "}":
                break
            yield from self._value(depth)
            if self._lost:
                return
            self._stream.skip(_SPACE)
            if self._stream.first not in (",", "]"):
                break
        yield self._abandon()

    def _members(self, depth: int, *, nested: bool = False) -> Iterator[Item]:
        """Yield the records in lists among an object's remaining members, including nested lists if `nested`."""
        while self._stream.skip(_COMMAS):
            if self._stream.first == "}":
                self._stream.advance(1)
                return
            name = self._stream.name()
            if name in LISTS and self._stream.first == "[":
                self._stream.advance(1)
                yield from self._elements(depth + 1)
                if self._lost:
                    return
                continue
            found = self._stream.value(frozenset(), is_record) if name is not None else None
            if found is None:
                break
            if nested and holds_records(found.value):
                yield from self._value(depth + 1)
                if self._lost:
                    return
            else:
                self._stream.advance(len(found.text))
        yield self._abandon()

    def _items(self, value: Any, text: str) -> Iterator[Item]:
        """Yield the records in a complete value: the value itself, or the records in a JSON string inside it."""
        inner = within(value) if self._within < _DEEPEST else ""
        if inner:
            records = _Records(JsonStream(None, inner), self._number, self._within + 1)
            yield from records.all()
            self._number = records._number
        else:
            yield self._item(value, text)

    def _item(self, value: Any, text: str) -> Item:
        self._number += 1
        inner, note = unwrapped(value, text)
        data = inner.encode("utf-8", "surrogateescape")
        if len(data) > MAX_ITEM_BYTES:
            return Item(self._number, b"", f"is longer than {MAX_ITEM_BYTES} bytes")
        return Item(self._number, data, note=note)

    def _abandon(self) -> Item:
        """Abandon the current document, and return an item that reports this."""
        self._lost = True
        return self._problem(_CUT_OFF, more=True)

    def _problem(self, why: str, *, more: bool = False) -> Item:
        self._number += 1
        return Item(self._number, b"", why, more=more)

    def _broken(self, depth: int) -> Item:
        """Return an item that reports the problem with the value at the front. Moves past the value, or to the next
        document."""
        stream = self._stream
        while True:
            following = _NEXT.search(stream.text, stream.at + 1)
            end = following.start() if following else len(stream.text)
            if stream.first not in "{[":  # a scalar ends before the next object that looks like a document
                likely = _LIKELY.search(stream.text, stream.at + 1, end)
                end = likely.start() if likely else end
            size = _extent(stream.text, stream.at, end, depth)
            closed = size is not None and (following or stream.at + size < end or stream.ended)
            if not closed and not following and end - stream.at <= MAX_ITEM_BYTES and stream.fetch():
                continue
            within = stream.at + size if closed and size else end
            if (begins := _likely(stream.text, stream.at + 1, within)) is not None:
                stream.advance(begins - stream.at)
            elif closed and size:
                problem = _problem_of(stream.text[stream.at : stream.at + size])
                stream.advance(size)
                return self._problem(problem)
            elif following:
                stream.advance(end - stream.at)
            else:
                stream.drop_until(_NEXT)
            return self._abandon()


def _extent(text: str, at: int, end: int, depth: int) -> int | None:
    """Return a broken value's length, or None if it has no end. Objects and arrays end by their brackets, scalars at a
    line break or comma.
    """
    if text[at] not in "{[":
        return max(1, (_PLAIN if depth else _LINE).match(text, at, end).end() - at)  # type: ignore[union-attr]
    open_ = 0
    for token in _TOKEN.finditer(text, at, end):
        match token[0]:
            case "{" | "[":
                open_ += 1
            case "}" | "]":
                open_ -= 1
                if open_ == 0:
                    return token.end() - at
            case '"':
                return None
    return None


def _likely(text: str, at: int, end: int) -> int | None:
    """Return the position in a broken value where another document seems to start, or None.

    A document seems to start at an object that is neither a member's value nor a list element.
    """
    while found := _LIKELY.search(text, at, end):
        if not _BEFORE_VALUE.search(text, max(0, found.start() - 9), found.start()):
            return found.start()
        start = _SPACE.match(text, found.start()).end()  # type: ignore[union-attr]
        try:
            _, at = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):  # this object contains the error
            at = start + 1
            continue
        if not _AFTER_VALUE.match(text, at):
            return start
    return None


def _problem_of(text: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"is not JSON: {error.msg} at character {error.pos + 1}"
    except (ValueError, RecursionError):
        pass
    return "cannot be parsed as JSON"
