"""Cuts the records out of `{"Records": […]}` documents, one or several in a row, while their bytes arrive."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Final

from auditlane.importer.sources import CHUNK_BYTES, MAX_ITEM_BYTES, Item, Source

_START: Final = re.compile(r'\s*\{\s*"Records"\s*:\s*\[\s*')
_END: Final = re.compile(r"\s*\}\s*")
_BETWEEN: Final = re.compile(r"\s*([,\]])\s*")
_EMPTY: Final = re.compile(r"\]")
_DECODER: Final = json.JSONDecoder()


def is_document(head: bytes) -> bool:
    """Whether a file that begins so holds such documents, not lines."""
    return _START.match(head.decode("utf-8", "replace")) is not None


def records(source: Source) -> Iterator[Item]:
    """Each record. Where a document is broken, the last item says so: what follows in it cannot be told apart."""
    text = _Text(source)
    number = 0
    while text.skip(_START):
        between = "]" if text.skip(_EMPTY) else ","
        while between == ",":
            number += 1
            record = text.value()
            found = text.match(_BETWEEN) if record else None
            if record is None or found is None:
                yield Item(number, b"", "is broken or cut off, so that nothing after it in the document can be read")
                return
            yield Item(number, record.encode("utf-8", "surrogateescape"))
            between = found.group(1)
        if not text.skip(_END):
            yield Item(number + 1, b"", "is no record: the document goes on after its Records")
            return
    if not text.at_end:
        yield Item(number + 1, b"", 'is no record: expected the end or another {"Records": […]}')


class _Text:
    """The text still unread, from the front; more is fetched when a match needs it."""

    def __init__(self, source: Source) -> None:
        self._source = source
        # A byte that is not UTF-8 survives as it is and is refused with the record that has it.
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
        self._text = ""
        self._from = 0
        self._ended = False

    @property
    def at_end(self) -> bool:
        return self._from == len(self._text) and not self._fetch()

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Match at the front and move behind it; what ends with the text at hand may be longer, so more is fetched."""
        while True:
            found = pattern.match(self._text, self._from)
            if (found is None or found.end() == len(self._text)) and self._fetch():
                continue
            if found is not None:
                self._from = found.end()
            return found

    def skip(self, pattern: re.Pattern[str]) -> bool:
        return self.match(pattern) is not None

    def value(self) -> str | None:
        """The text of the JSON value at the front; None when there is none within the limit."""
        while True:
            try:
                _, end = _DECODER.raw_decode(self._text, self._from)
            except (ValueError, RecursionError):
                end = None
            # What ends with the text at hand may be cut off: look again with more of it.
            held = len(self._text) - self._from
            if end in (None, len(self._text)) and held <= MAX_ITEM_BYTES and self._fetch():
                continue
            if end is None:
                return None
            start, self._from = self._from, end
            return self._text[start:end]

    def _fetch(self) -> bool:
        """As much again as is at hand, so that a long record is not looked at over and over."""
        if self._ended:
            return False
        data = self._source.read(max(CHUNK_BYTES, len(self._text) - self._from))
        self._ended = not data
        more = self._decode(data, final=self._ended)
        if self._ended and not more:
            return False
        self._text = self._text[self._from :] + more
        self._from = 0
        return True
