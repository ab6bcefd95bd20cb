"""Zstandard, from the standard library where it has it."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor, ZstdDecompressor, ZstdError, compress, decompress
else:
    from backports.zstd import ZstdCompressor, ZstdDecompressor, ZstdError, compress, decompress

__all__ = ["ZstdCompressor", "ZstdDecompressor", "ZstdError", "pack", "unpack"]


def pack(data: bytes) -> bytes:
    """One frame, at the fastest ordinary level."""
    return bytes(compress(data, level=1))


def unpack(data: bytes) -> bytes:
    """Its content. Raises ZstdError."""
    return bytes(decompress(data))
