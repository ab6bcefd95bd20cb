"""Cuts NDJSON into lines while its bytes arrive, and reads JSON values, with a sentence for what is wrong. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

from auditlane.contract.event_json import finite, no_constant, problem_of
from auditlane.runtime.errors import EventTooLarge, InvalidEvent

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
