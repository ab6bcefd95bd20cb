"""Decompresses gzip with one or more members. Everything readable is recovered from truncated or damaged data."""

from __future__ import annotations

import io
import zlib
from contextlib import suppress
from typing import Any, Final

_PIECE: Final = 1 << 10  # number of compressed bytes per step; a damaged chunk is decompressed again, byte by byte
_MAGIC: Final = b"\x1f\x8b"


class Gunzip(io.RawIOBase):
    """A stream of the decompressed data, which ends where the file is damaged.

    `damage` then describes what is wrong, and `given` is the number of bytes before it.
    """

    def __init__(self, compressed: io.BufferedReader) -> None:
        self._compressed = compressed
        self._member = zlib.decompressobj(wbits=31)
        self._rest = b""
        self._left = b""  # decompressed data that has not been read yet
        self.given = 0
        self.damage = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not (self._left or self.damage) and self._read(len(buffer)):
            pass
        data = self._left[: len(buffer)]
        self._left = self._left[len(data) :]
        buffer[: len(data)] = data
        self.given += len(data)
        return len(data)

    def _read(self, most: int) -> bool:
        """Decompress the next chunk. Returns False at the end."""
        piece = self._member.unconsumed_tail or self._rest or self._compressed.read(_PIECE)
        self._rest = b""
        if not piece:
            if not self._member.eof:
                self.damage = "it is truncated"
            return False
        if self._member.eof and not self._next(piece):
            return False
        before = self._member.copy()
        try:
            self._left = self._member.decompress(piece, most)
        except zlib.error as error:  # the chunk's output so far is lost with it
            self.damage = str(error)
            self._left = _readable(before, piece)
        if self._member.eof:
            self._rest = self._member.unused_data
        return True

    def _next(self, piece: bytes) -> bool:
        """Start the next member. Returns False if padding (zeros) or damage follows instead."""
        if not piece.startswith(_MAGIC[: len(piece)]):
            if piece.strip(b"\0"):
                self.damage = "data that is not gzip follows"
            return False
        self._member = zlib.decompressobj(wbits=31)
        return True


def _readable(member: Any, piece: bytes) -> bytes:
    """Return the part of a damaged chunk that precedes the damage."""
    found = bytearray()
    with suppress(zlib.error):
        for at in range(len(piece)):
            found += member.decompress(piece[at : at + 1])
    return bytes(found)
