"""Read an ArrowStream to its end marker, so that a result that broke off can never be taken for a whole one.

ClickHouse answers 200 before a query is done; when it then fails, it ends the body early or writes its error into it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final, Protocol

import pyarrow as pa

from auditlane.runtime.errors import StoreUnavailable

END_MARKER: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_TAIL_BYTES: Final = 4_096


class Source(Protocol):
    """What the HTTP client gives: a body that is read in pieces and closed."""

    def read(self, amt: int) -> bytes: ...
    def close(self) -> None: ...


class TruncatedResult(StoreUnavailable):
    """The result ended before its end marker. `tail` is its last bytes, where ClickHouse may have left its error."""

    def __init__(self, reason: str, tail: bytes = b"") -> None:
        super().__init__(f"The result broke off: {reason}.", fix="Try again; nothing that was read so far is complete.")
        self.tail = tail


class _Watched(io.RawIOBase):
    """Passes a body on to pyarrow and remembers its last bytes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.tail = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._source.read(len(buffer))
        buffer[: len(piece)] = piece
        self.tail = (self.tail + piece)[-_TAIL_BYTES:]
        return len(piece)


def batches(source: Source) -> Iterator[pa.RecordBatch]:
    """The record batches of the body. Raises Broken unless it ends with the end marker, and nothing after it."""
    watched = _Watched(source)
    with io.BufferedReader(watched, 1 << 16) as body:
        try:
            with pa.ipc.open_stream(body) as reader:
                yield from reader
            ended = watched.tail.endswith(END_MARKER) and not body.read(1)
        except (pa.ArrowException, OSError, ValueError) as error:
            body.read(_TAIL_BYTES)
            raise TruncatedResult(f"{type(error).__name__}: {error}".splitlines()[0][:300], watched.tail) from error
    if not ended:
        raise TruncatedResult("it has no end marker", watched.tail)
