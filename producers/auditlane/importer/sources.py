"""Reads a file or standard input, plain or gzip, line by line with bounded memory."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from auditlane.importer.gunzip import Gunzip
from auditlane.runtime.errors import InvalidInput

MAX_ITEM_BYTES: Final = 16 << 20  # size above which a line or record is rejected without being held in memory
CHUNK_BYTES: Final = 1 << 16
_GZIP_MAGIC: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
# UTF-16's byte order marks, and the first bytes of UTF-16 JSON without one.
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{", b"[\0", b"\0[")


@dataclass(frozen=True, slots=True)
class Item:
    """A line, or a record in a document.

    `number` counts from 1. `problem` states why it has no usable text, and `more` is true if several records may be
    lost. `note` states why it can be skipped without losing an event.
    """

    number: int
    text: bytes
    problem: str = ""
    more: bool = False
    note: str = ""


class Source:
    """An open file or stream. `size` and `position` count bytes on disk, for a progress bar.

    Raises InvalidInput for UTF-16 and, while reading, where a file is damaged. The data before that is valid.
    """

    def __init__(self, raw: BinaryIO, size: int | None = None) -> None:
        self._raw = raw
        self.size = size
        start, data = _started(_buffered(raw))
        self._gunzip = Gunzip(data) if start == _GZIP_MAGIC else None
        if self._gunzip:
            start, data = _started(_buffered(self._gunzip))
        if start in _UTF_16:
            raise InvalidInput("The file is encoded in UTF-16.", fix="Convert it to UTF-8.")
        self._data = data

    @property
    def position(self) -> int:
        return self._raw.tell() if self.size is not None else 0

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Return up to `size` bytes, or b"" at the end."""
        with _reading():
            data = self._data.read(size)
        if not data:
            self._check_whole()
        return data

    def lines(self) -> Iterator[Item]:
        """Yield the non-blank lines, without surrounding whitespace."""
        number = 0
        while line := self._line(MAX_ITEM_BYTES + 1):
            number += 1
            if len(line) > MAX_ITEM_BYTES and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = self._line(CHUNK_BYTES)
                yield Item(number, b"", f"is longer than {MAX_ITEM_BYTES} bytes")
            elif text := line.removeprefix(_BOM).strip():  # concatenated files may each start with a byte order mark
                yield Item(number, text)
        self._check_whole()

    def _check_whole(self) -> None:
        """Raise InvalidInput if the file is damaged. Called at the end of the readable data."""
        if self._gunzip and self._gunzip.damage:
            raise InvalidInput(
                f"The file is damaged after the first {self._gunzip.given} decompressed bytes: {self._gunzip.damage}.",
                fix="Copy it again.",
            )

    def _line(self, limit: int) -> bytes:
        with _reading():
            return self._data.readline(limit)


@contextmanager
def opened(path: str) -> Iterator[Source]:
    """Open a file, or standard input for `-`. Raises InvalidInput if it cannot be read."""
    if path == "-":
        yield Source(sys.stdin.buffer)
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(path).open("rb", buffering=0))
            status = os.fstat(file.fileno())
        except OSError as error:
            raise InvalidInput(
                f"Cannot read {path}: {error.strerror}.", fix="Check the path and its permissions."
            ) from error
        # A pipe has neither a size nor a position.
        yield Source(cast(BinaryIO, file), status.st_size if stat.S_ISREG(status.st_mode) else None)


class _Unread(io.RawIOBase):
    """A stream with already read bytes put back at its front."""

    def __init__(self, front: bytes, rest: io.BufferedReader) -> None:
        self._front = front
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._front:
            return self._rest.readinto1(buffer)
        count = min(len(buffer), len(self._front))
        buffer[:count], self._front = self._front[:count], self._front[count:]
        return count


def _started(data: io.BufferedReader) -> tuple[bytes, io.BufferedReader]:
    """Return the first two bytes, and a stream that still contains them. A pipe may deliver these bytes separately."""
    with _reading():
        start = data.read(len(_GZIP_MAGIC))
    return start, _buffered(_Unread(start, data))


def _buffered(raw: Any) -> io.BufferedReader:
    return raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw, CHUNK_BYTES)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(f"Reading the file failed: {error}.", fix="Check the disk that contains it.") from error
