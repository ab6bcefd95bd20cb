"""ClickHouse's own compressed blocks, which `compress=1` asks for in answers and `decompress=1` says of a body."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct

import lz4.block  # type: ignore[import-untyped]

from auditlane.local.engine.cityhash import cityhash128
from auditlane.local.engine.errors import CANNOT_DECOMPRESS, CANNOT_READ_ALL_DATA, CHECKSUM_DOESNT_MATCH, EngineError
from auditlane.runtime.zstandard import ZstdError, pack, unpack

_NONE, _LZ4, _ZSTD = 0x02, 0x82, 0x90
_HEAD = Struct("<QQBII")  # checksum of what follows it; method; size with these nine bytes; size of the plain data
_SUM = 16
_OWN = 9
_LARGEST = 1 << 30


class BlockCompressor:
    """A stream of blocks, one for each piece."""

    def __init__(self, method: str = "LZ4") -> None:
        self._zstd = method.upper() == "ZSTD"

    def compress(self, data: bytes) -> bytes:
        if not data:
            return b""
        packed: bytes = pack(data) if self._zstd else lz4.block.compress(data, store_size=False)
        method = _ZSTD if self._zstd else _LZ4
        block = _HEAD.pack(0, 0, method, len(packed) + _OWN, len(data))[_SUM:] + packed
        low, high = cityhash128(block)
        return low.to_bytes(8, "little") + high.to_bytes(8, "little") + block

    def flush(self) -> bytes:
        return b""


def unblocked(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """The plain data of a stream of blocks. Raises EngineError for one that is cut short or damaged."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= _SUM + _OWN:
            low, high, method, size, plain_size = _HEAD.unpack_from(held)
            if not _OWN <= size <= _LARGEST or plain_size > _LARGEST:
                raise EngineError(CANNOT_DECOMPRESS, "The body is not made of ClickHouse's compressed blocks")
            if len(held) < _SUM + size:
                break
            block = bytes(held[_SUM : _SUM + size])
            del held[: _SUM + size]
            if cityhash128(block) != (low, high):
                raise EngineError(CHECKSUM_DOESNT_MATCH, "A compressed block of the body is damaged")
            yield _plain(method, block[_OWN:], plain_size)
    if held:
        raise EngineError(CANNOT_READ_ALL_DATA, "The body ended within a compressed block")


def _plain(method: int, packed: bytes, size: int) -> bytes:
    if method == _NONE:
        return packed
    try:
        if method == _LZ4:
            return bytes(lz4.block.decompress(packed, uncompressed_size=size))
        if method == _ZSTD:
            return unpack(packed)
    except (lz4.block.LZ4BlockError, ZstdError) as error:
        raise EngineError(CANNOT_DECOMPRESS, f"A compressed block of the body is damaged: {error}") from None
    raise EngineError(CANNOT_DECOMPRESS, f"Compression method {method:#x} is not supported")
