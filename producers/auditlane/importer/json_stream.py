"""JSON text still unread, from the front, while its bytes arrive; what is held is bounded by the longest value."""

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
_DEEPEST: Final = 4  # objects in one another in which a list of records is looked for
_TOKEN: Final = 16  # characters: what fails so near to the end may be a word or an escape that goes on


@dataclass(frozen=True, slots=True)
class Value:
    """A whole value with its text; or, with `list_at`, where in the object at the front a list of records begins and in
    how many objects within it the list stands."""

    value: Any = None
    text: str = ""
    list_at: int = 0
    levels: int = 0


class JsonStream:
    """`text` from `at` on is unread. Fetching more moves both, so distances are counted from `at`."""

    def __init__(self, source: Source | None, text: str = "") -> None:
        """Of a source, or of text that is all there is."""
        self._source = source
        # A byte that is not UTF-8 survives as it is and is refused with the record that has it.
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
        self._damage: InvalidInput | None = None
        self.text = text
        self.at = 0
        self.ended = source is None

    @property
    def first(self) -> str:
        """The character at the front; empty at the end."""
        return self.text[self.at] if self.at < len(self.text) or self.fetch() else ""

    def advance(self, count: int) -> None:
        self.at += count

    def skip(self, pattern: re.Pattern[str]) -> bool:
        """Move behind what a pattern of repeated characters matches; whether anything is left."""
        while True:
            if found := pattern.match(self.text, self.at):
                self.at = found.end()
            if self.at < len(self.text):
                return True
            if not self.fetch():
                return False

    def name(self) -> str | None:
        """The name of a member, and move behind its colon; None where there is none."""
        while (found := _NAME.match(self.text, self.at)) is None or found.end() == len(self.text):
            if len(self.text) - self.at > MAX_ITEM_BYTES or not self.fetch():
                break
        if found is None:
            return None
        self.at = found.end()
        return found[1]

    def value(self, lists: Set[str], alone: Callable[[dict[str, Any]], bool]) -> Value | None:
        """The value at the front, or where in it one of these lists begins, unless it is a record `alone`; without
        moving. None where it is broken, cut off or too long."""
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
        """Move behind what a pattern of at most so many characters matches, if it does."""
        while len(self.text) - self.at < longest and self.fetch():
            pass
        if found := pattern.match(self.text, self.at):
            self.at = found.end()

    def drop_until(self, pattern: re.Pattern[str]) -> None:
        """Move to where the pattern matches next, or to the end, holding no more than a chunk."""
        self.at += 1
        while (found := pattern.search(self.text, self.at)) is None:
            self.at = max(self.at, len(self.text) - 4_096)  # the pattern may have begun
            if not self.fetch():
                self.at = len(self.text)
                return
        self.at = found.start()

    def fetch(self) -> bool:
        """As much again as is at hand, so that a long record is not looked at over and over; False at the end."""
        if self.ended or self._source is None:
            return False
        try:
            data = self._source.read(max(CHUNK_BYTES, len(self.text) - self.at))
        except InvalidInput as error:  # what came before it was good
            self._damage, data = error, b""
        self.ended = not data
        more = self._decode(data, final=self.ended)
        if not more and not self.ended:
            return self.fetch()
        keep = self.at - 1 if self.at else 0  # a pattern may look at the character before
        self.text = self.text[keep:] + more
        self.at -= keep
        return bool(more)

    def raise_for_damage(self) -> None:
        if self._damage:
            raise self._damage


def list_at(text: str, at: int, names: Collection[str]) -> int:
    """Where the array begins that the object at `at` has under one of the names; 0 when there is none at hand."""
    return next((start for name, start, end in members(text, at) if name in names and text.startswith("[", start)), 0)


def nested_list(
    text: str, at: int, names: Collection[str], alone: Callable[[dict[str, Any]], bool], deepest: int = _DEEPEST
) -> tuple[int, int]:
    """`list_at` of an object that is not whole, also in the objects within it where it breaks off; how many those are.
    Records themselves, which are `alone`, are left as they are."""
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
    """(name, where the value begins, where it ends) of an object's members, as far as they can be read; the end of the
    last one that is no more whole is 0."""
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
