"""Parses JSON text from the front as its bytes arrive. Memory is bounded by the longest value."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Collection, Iterator, Set
from dataclasses import dataclass
from typing import Any, Final

from auditlane.importer.sources import CHUNK_BYTES, MAX_ITEM_BYTES, Source
from auditlane.runtime.errors import InvalidInput

_NAME: Final = re.compile(r'"((?:[^"\\\n]|\\.)*)"\s*:\s*')
_OPEN: Final = re.compile(r"\{\s*")
_COMMA: Final = re.compile(r"\s*,\s*")
_DECODER: Final = json.JSONDecoder()
_DEEPEST: Final = 4  # maximum nesting depth for finding lists of records
_TOKEN: Final = 16  # in characters: an error this close to the end may be an incomplete literal or escape


@dataclass(frozen=True, slots=True)
class Value:
    """A complete value with its text, or the position of a list of records.

    For a list, `list_at` is its position in the object at the front, and `levels` the number of nested objects around
    it.
    """

    value: Any = None
    text: str = ""
    list_at: int = 0
    levels: int = 0


class JsonStream:
    """The text to parse, which is `text` from position `at` on. Fetching more text changes both, so keep positions
    relative to `at`.
    """

    def __init__(self, source: Source | None, text: str = "") -> None:
        """Read from a source, or from the complete `text` if it is None."""
        self._source = source
        # Invalid UTF-8 is preserved here, and later rejected together with the record that contains it.
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
        self._damage: InvalidInput | None = None
        self.text = text
        self.at = 0
        self.ended = source is None

    @property
    def first(self) -> str:
        """The first unread character, or "" at the end."""
        return self.text[self.at] if self.at < len(self.text) or self.fetch() else ""

    def advance(self, count: int) -> None:
        self.at += count

    def skip(self, pattern: re.Pattern[str]) -> bool:
        """Move past a match of a pattern of repeated characters, and return whether any text is left."""
        while True:
            if found := pattern.match(self.text, self.at):
                self.at = found.end()
            if self.at < len(self.text):
                return True
            if not self.fetch():
                return False

    def name(self) -> str | None:
        """Return a member's name and move past its colon, or return None if there is no name."""
        while (found := _NAME.match(self.text, self.at)) is None or found.end() == len(self.text):
            if len(self.text) - self.at > MAX_ITEM_BYTES or not self.fetch():
                break
        if found is None:
            return None
        self.at = found.end()
        return found[1]

    def value(self, lists: Set[str], alone: Callable[[dict[str, Any]], bool]) -> Value | None:
        """Return the value at the front, or the position of one of these lists inside it. Does not move past it.

        A value for which `alone` is true is a record, which is returned as a whole. Returns None if the value is
        broken, truncated or too long.
        """
        while True:
            certain = False
            end: int | None
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                certain = error.pos < len(self.text) - _TOKEN and not error.msg.startswith("Unterminated")
                end = None
            except (ValueError, RecursionError):
                certain, end = True, None
            if end is not None:
                listed = isinstance(value, dict) and not lists.isdisjoint(value) and not alone(value)
                if listed and (place := list_at(self.text, self.at, lists)):
                    return Value(list_at=place - self.at)
                return Value(value, self.text[self.at : end])
            if lists and (place := list_at(self.text, self.at, lists)):
                return Value(list_at=place - self.at)
            if certain or len(self.text) - self.at > MAX_ITEM_BYTES or not self.fetch():
                place, levels = nested_list(self.text, self.at, lists, alone) if lists else (0, 0)
                return Value(list_at=place - self.at, levels=levels) if place else None

    def skip_once(self, pattern: re.Pattern[str], longest: int) -> None:
        """Move past a match of a pattern of at most `longest` characters, if it matches."""
        while len(self.text) - self.at < longest and self.fetch():
            pass
        if found := pattern.match(self.text, self.at):
            self.at = found.end()

    def drop_until(self, pattern: re.Pattern[str]) -> None:
        """Move to the pattern's next match, or to the end, with at most one chunk in memory."""
        self.at += 1
        while (found := pattern.search(self.text, self.at)) is None:
            self.at = max(self.at, len(self.text) - 4_096)  # a match may have started
            if not self.fetch():
                self.at = len(self.text)
                return
        self.at = found.start()

    def fetch(self) -> bool:
        """Read more text, and return False at the end. The unread text doubles each time, so that a long record is not
        parsed too often.
        """
        if self.ended or self._source is None:
            return False
        try:
            data = self._source.read(max(CHUNK_BYTES, len(self.text) - self.at))
        except InvalidInput as error:  # the text before the damage is valid
            self._damage, data = error, b""
        self.ended = not data
        more = self._decode(data, final=self.ended)
        if not more and not self.ended:
            return self.fetch()
        keep = self.at - 1 if self.at else 0  # a pattern may look back by one character
        self.text = self.text[keep:] + more
        self.at -= keep
        return bool(more)

    def raise_for_damage(self) -> None:
        if self._damage:
            raise self._damage


def list_at(text: str, at: int, names: Collection[str]) -> int:
    """Find an array under one of the names in the object at `at`. Returns its position, or 0 if none has been found
    yet.
    """
    return next((start for name, start, end in members(text, at) if name in names and text.startswith("[", start)), 0)


def nested_list(
    text: str, at: int, names: Collection[str], alone: Callable[[dict[str, Any]], bool], deepest: int = _DEEPEST
) -> tuple[int, int]:
    """Find a list like `list_at`, but in a truncated object, including the nested objects in which it is truncated.

    Returns its position and nesting level, or (0, 0) if it is not found. Objects for which `alone` is true are records,
    which are not searched.
    """
    seen: dict[str, Any] = {}
    for name, start, end in members(text, at):
        if name in names and text.startswith("[", start):
            return start, 0
        if not end and deepest and text.startswith("{", start) and not alone(seen):
            place, levels = nested_list(text, start, names, alone, deepest - 1)
            return place, levels + 1
        seen[name] = None
    return 0, 0


def members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Yield each member's name and the start and end of its value, as far as the object can be parsed. The end is 0 if
    the last value is incomplete.
    """
    found = _OPEN.match(text, at)
    while found and (name := _NAME.match(text, found.end())):
        start = name.end()
        try:
            _, end = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            yield name[1], start, 0
            return
        yield name[1], start, end
        found = _COMMA.match(text, end)
