"""Reads gzip, also several members in a row, and gives all that can be read of what is cut off or damaged."""

from __future__ import annotations

import io
import zlib
from typing import Any, Final

_PIECE: Final = 1 << 10  # compressed bytes: what is read at once is lost with the damage in it
_MAGIC: Final = b"\x1f\x8b"


class Gunzip(io.RawIOBase):
    """Ends where the damage is; `damage` then says what it is, and `given` how many bytes came before it."""

    def __init__(self, compressed: io.BufferedReader) -> None:
        self._compressed = compressed
        self._member = zlib.decompressobj(wbits=31)
        self._rest = b""
        self.given = 0
        self.damage = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.damage:
            piece = self._member.unconsumed_tail or self._rest or self._compressed.read(_PIECE)
            self._rest = b""
            if not piece:
                if not self._member.eof:
                    self.damage = "it is cut off"
                break
            if self._member.eof and not self._next(piece):
                break
            try:
                data = self._member.decompress(piece, len(buffer))
            except zlib.error as error:
                self.damage = str(error)
                break
            if self._member.eof:
                self._rest = self._member.unused_data
            if data:
                buffer[: len(data)] = data
                self.given += len(data)
                return len(data)
        return 0

    def _next(self, piece: bytes) -> bool:
        """Begin the member that follows; what is no member is zeros that fill up a block, or damage."""
        if not piece.startswith(_MAGIC[: len(piece)]):
            if piece.strip(b"\0"):
                self.damage = "something that is not gzip follows"
            return False
        self._member = zlib.decompressobj(wbits=31)
        return True
