"""Reads gzip, also several members in a row, and gives all that can be read of what is cut off or damaged."""

from __future__ import annotations

import io
import zlib
from contextlib import suppress
from typing import Any, Final

_PIECE: Final = 1 << 10  # compressed bytes: what is read again, byte by byte, up to the damage in it
_MAGIC: Final = b"\x1f\x8b"


class Gunzip(io.RawIOBase):
    """Ends where the damage is; `damage` then says what it is, and `given` how many bytes came before it."""

    def __init__(self, compressed: io.BufferedReader) -> None:
        self._compressed = compressed
        self._member = zlib.decompressobj(wbits=31)
        self._rest = b""
        self._left = b""  # what is decompressed and was not asked for yet
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
        """Decompress the next piece; False at the end."""
        piece = self._member.unconsumed_tail or self._rest or self._compressed.read(_PIECE)
        self._rest = b""
        if not piece:
            if not self._member.eof:
                self.damage = "it is cut off"
            return False
        if self._member.eof and not self._next(piece):
            return False
        before = self._member.copy()
        try:
            self._left = self._member.decompress(piece, most)
        except zlib.error as error:  # what it had decompressed of the piece is lost with it
            self.damage = str(error)
            self._left = _readable(before, piece)
        if self._member.eof:
            self._rest = self._member.unused_data
        return True

    def _next(self, piece: bytes) -> bool:
        """Begin the member that follows; what is no member is zeros that fill up a block, or damage."""
        if not piece.startswith(_MAGIC[: len(piece)]):
            if piece.strip(b"\0"):
                self.damage = "something that is not gzip follows"
            return False
        self._member = zlib.decompressobj(wbits=31)
        return True


def _readable(member: Any, piece: bytes) -> bytes:
    """All of a damaged piece that comes before the damage."""
    found = bytearray()
    with suppress(zlib.error):
        for at in range(len(piece)):
            found += member.decompress(piece[at : at + 1])
    return bytes(found)
