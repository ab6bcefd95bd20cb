"""Zstandard, from the standard library where it has it."""

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

# Bytes; who sends zstd over HTTP must not ask for a larger window (RFC 9659), which is memory of who reads it.
HTTP_WINDOW: Final = 8 << 20


def pack(data: bytes) -> bytes:
    """One frame, at the fastest ordinary level."""
    return bytes(compress(data, level=1))


def unpack(data: bytes) -> bytes:
    """Its content. Raises ZstdError."""
    return bytes(decompress(data))


def http_decompressor() -> ZstdDecompressor:
    """For one frame of a body that somebody sent; a frame with a window of more than HTTP_WINDOW is a ZstdError."""
    return ZstdDecompressor(options={DecompressionParameter.window_log_max: HTTP_WINDOW.bit_length() - 1})
