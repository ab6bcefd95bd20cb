"""HTTP compression both ways: what a body was encoded with, and what a response may be encoded with."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import lz4.frame  # type: ignore[import-untyped]

from auditlane.local.engine.errors import CANNOT_DECOMPRESS, UNKNOWN_COMPRESSION_METHOD, EngineError
from auditlane.runtime.zstandard import ZstdCompressor, ZstdDecompressor, ZstdError


class Compressor(Protocol):
    """Bytes in, encoded bytes out; `flush` ends the stream."""

    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class _Lz4:
    """LZ4's frame format, whose Python object wants its header asked for."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes) -> bytes:
        head = b"" if self._begun else self._frame.begin()
        self._begun = True
        return bytes(head + self._frame.compress(data))

    def flush(self) -> bytes:
        return self.compress(b"") + bytes(self._frame.flush())


# In our order of preference: the cheapest first, since the way is the loopback.
_COMPRESSORS: dict[str, Callable[[], Compressor]] = {
    "lz4": _Lz4,
    "zstd": lambda: ZstdCompressor(level=1),
    "gzip": lambda: zlib.compressobj(3, wbits=31),
    "deflate": lambda: zlib.compressobj(3),
}
_DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": ZstdDecompressor,
    "gzip": lambda: zlib.decompressobj(wbits=31),
    "x-gzip": lambda: zlib.decompressobj(wbits=31),
    "deflate": zlib.decompressobj,
}


def choose(accepted: str) -> str:
    """The encoding for a response from its Accept-Encoding header, "" for none."""
    offers = {part.split(";")[0].strip().lower() for part in accepted.split(",") if "q=0" not in part.split(";")[1:]}
    return next((name for name in _COMPRESSORS if name in offers), "")


def compressor(encoding: str) -> Compressor:
    return _COMPRESSORS[encoding]()


def decoded(pieces: Iterable[memoryview], encoding: str) -> Iterator[bytes | memoryview]:
    """The body behind its Content-Encoding. Raises EngineError for an unknown one and for a stream cut short."""
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return iter(pieces)
    if name not in _DECOMPRESSORS:
        raise EngineError(
            UNKNOWN_COMPRESSION_METHOD, f"Unknown compression method {encoding!r}: {', '.join(_DECOMPRESSORS)}"
        )
    return _decompressed(pieces, name)


def _decompressed(pieces: Iterable[memoryview], name: str) -> Iterator[bytes]:
    make = _DECOMPRESSORS[name]
    stream = make()
    fresh = True
    for piece in pieces:
        data = bytes(piece)
        while data:
            try:
                plain = stream.decompress(data)
            except (zlib.error, ZstdError, RuntimeError, EOFError) as error:
                raise EngineError(CANNOT_DECOMPRESS, f"The body is not valid {name}: {error}") from None
            if plain:
                yield plain
            data, fresh = b"", False
            if stream.eof:  # one frame or member ended; another may follow
                data, stream, fresh = bytes(stream.unused_data or b""), make(), True
    if not fresh:
        raise EngineError(CANNOT_DECOMPRESS, f"The {name} stream of the body is cut short")
