"""Where an import reads from: a file or standard input, plain or gzip, line by line with bounded memory."""

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

MAX_ITEM_BYTES: Final = 16 << 20  # a line or record longer than this is refused, not held
CHUNK_BYTES: Final = 1 << 16
_GZIP_MAGIC: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
# Its marks, and how JSON begins in it without one.
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff", *(pair for one in (b"{", b"[") for pair in (one + b"\0", b"\0" + one)))


@dataclass(frozen=True, slots=True)
class Item:
    """A line, or a record of a document. `number` counts from 1; `problem` says why there is no usable text, and `more`
    that it may stand for several records; `note` why the item is passed over, as nothing is lost with it."""

    number: int
    text: bytes
    problem: str = ""
    more: bool = False
    note: str = ""


class Source:
    """What is being read. `size` and `position` are bytes as they lie on the disk, for a progress bar.

    Reading raises InvalidInput where the file is damaged; what came before it was good. Raises InvalidInput for UTF-16.
    """

    def __init__(self, raw: BinaryIO, size: int | None = None) -> None:
        self._raw = raw
        self.size = size
        start, data = _started(_buffered(raw))
        self._gunzip = Gunzip(data) if start == _GZIP_MAGIC else None
        if self._gunzip:
            start, data = _started(_buffered(self._gunzip))
        if start in _UTF_16:
            raise InvalidInput("The file is UTF-16.", fix="Convert it to UTF-8.")
        self._data = data

    @property
    def position(self) -> int:
        return self._raw.tell() if self.size is not None else 0

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Up to `size` bytes; none at the end."""
        with _reading():
            data = self._data.read(size)
        if not data:
            self._check_whole()
        return data

    def lines(self) -> Iterator[Item]:
        """Each line that is not blank, without the white space around it."""
        number = 0
        while line := self._line(MAX_ITEM_BYTES + 1):
            number += 1
            if len(line) > MAX_ITEM_BYTES and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = self._line(CHUNK_BYTES)
                yield Item(number, b"", f"is longer than {MAX_ITEM_BYTES} bytes")
            elif text := line.removeprefix(_BOM).strip():  # files are joined, each with a mark of its own
                yield Item(number, text)
        self._check_whole()

    def _check_whole(self) -> None:
        """At the end of what could be read."""
        if self._gunzip and self._gunzip.damage:
            raise InvalidInput(
                f"The file is damaged after the first {self._gunzip.given} bytes of what is compressed in it: "
                f"{self._gunzip.damage}.",
                fix="Copy it again.",
            )

    def _line(self, limit: int) -> bytes:
        with _reading():
            return self._data.readline(limit)


@contextmanager
def opened(path: str) -> Iterator[Source]:
    """A file, or standard input for `-`. Raises InvalidInput when it cannot be read."""
    if path == "-":
        yield Source(sys.stdin.buffer)
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(path).open("rb", buffering=0))
            found = os.fstat(file.fileno())
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read: {error.strerror}.", fix="Check the path and rights.") from error
        # A pipe has neither a size nor a position.
        yield Source(cast(BinaryIO, file), found.st_size if stat.S_ISREG(found.st_mode) else None)


class _Again(io.RawIOBase):
    """What was read from the front of a stream, and then the stream."""

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
    """(the first two bytes, also where each comes alone through a pipe; all of the data as before)."""
    with _reading():
        start = data.read(len(_GZIP_MAGIC))
    return start, _buffered(_Again(start, data))


def _buffered(raw: Any) -> io.BufferedReader:
    return raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw, CHUNK_BYTES)


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(f"The file cannot be read further: {error}.", fix="Check the disk that it is on.") from error
