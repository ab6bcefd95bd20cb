"""Zstandard, from the standard library (Python 3.14 and later) or its backport."""

from __future__ import annotations

import sys
from typing import Final

if sys.version_info >= (3, 14):
    from compression.zstd import (
        DecompressionParameter,
        ZstdCompressor,
        ZstdDecompressor,
        ZstdError,
        compress,
        decompress,
    )
else:
    from backports.zstd import DecompressionParameter, ZstdCompressor, ZstdDecompressor, ZstdError, compress, decompress

__all__ = ["HTTP_WINDOW", "ZstdCompressor", "ZstdDecompressor", "ZstdError", "http_decompressor", "pack", "unpack"]

# In bytes; zstd over HTTP must not use a larger window (RFC 9659), since it takes up the receiver's memory.
HTTP_WINDOW: Final = 8 << 20


def pack(data: bytes) -> bytes:
    """Compress data into one frame, at the fastest regular level."""
    return bytes(compress(data, level=1))


def unpack(data: bytes) -> bytes:
    """Decompress one frame. Raises ZstdError."""
    return bytes(decompress(data))


def http_decompressor() -> ZstdDecompressor:
    """Return a decompressor for one frame of a request body. It raises ZstdError for a window above HTTP_WINDOW."""
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: HTTP_WINDOW.bit_length() - 1})
