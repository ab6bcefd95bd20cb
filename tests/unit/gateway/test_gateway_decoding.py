"""Tests gzip and zstd bodies. They yield the same events however they are split into chunks, and memory stays within
limits.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlane.gateway import body
from auditlane.gateway.body import PIECE, Coding, coding_of, decoded
from auditlane.runtime.errors import BodyTooLarge, InvalidInput, MediaTypeUnsupported
from auditlane.runtime.zstandard import HTTP_WINDOW, ZstdCompressor, pack

PACKED = {Coding.gzip: gzip.compress, Coding.zstd: pack}
CODINGS = list(Coding)


async def pieces_of(data: bytes, places: list[int]) -> AsyncIterator[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    for begin, end in itertools.pairwise(ends):
        yield data[begin:end]


def undone(data: bytes, coding: Coding, places: list[int] | None = None, most: int = 1 << 30) -> tuple[bytes, int, int]:
    """Return the decoded bytes, the length of the longest decoded piece, and the number of bytes that the decoder
    counted.
    """
    counted: list[int] = []

    async def read() -> list[bytes]:
        pieces = decoded(pieces_of(data, places or []), coding, counted.append)
        return [piece async for piece in body.bounded(pieces, most)]

    found = asyncio.run(read())
    return b"".join(found), max(map(len, found), default=0), sum(counted)


@pytest.mark.parametrize("coding", CODINGS)
@settings(max_examples=60, deadline=None)
@given(
    members=st.lists(st.binary(max_size=40) | st.integers(0, 5 * PIECE).map(bytes), min_size=1, max_size=4),
    places=st.lists(st.integers(0, 1_000_000), max_size=12),
)
def test_the_body_is_the_same_wherever_pieces_end(coding: Coding, members: list[bytes], places: list[int]) -> None:
    found, longest, counted = undone(b"".join(map(PACKED[coding], members)), coding, places)
    assert found == b"".join(members)
    assert longest <= PIECE
    assert counted == min(len(found), HTTP_WINDOW if coding is Coding.zstd else 32 << 10)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_decompression_bomb_is_stopped_at_the_limit(coding: Coding) -> None:
    """The bombs are a gigabyte of zeros, compressed once to a few hundred KiB, and compressed twice."""
    once = PACKED[coding](bytes(64 << 20)) * 16
    with pytest.raises(BodyTooLarge, match="1048576"):
        undone(once, coding, most=1 << 20)
    with pytest.raises(BodyTooLarge):
        undone(PACKED[coding](once), coding, most=1 << 10)


@pytest.mark.parametrize("coding", CODINGS)
def test_an_incomplete_small_body_yields_no_data(coding: Coding) -> None:
    whole = PACKED[coding](b'{"action": "a"}\n' * 50)
    wrong = [whole[:end] for end in range(len(whole))]
    wrong += [whole + b"x", whole + whole[:5], b"x" + whole, b'{"action": "a"}', PACKED[Coding.gzip](b"a")[:4]]
    wrong += [PACKED[next(one for one in CODINGS if one is not coding)](b"{}"), zlib.compress(b"{}")]
    for data in wrong:
        arrived: list[bytes] = []

        async def read(data: bytes = data, arrived: list[bytes] = arrived) -> None:
            arrived.extend([piece async for piece in decoded(pieces_of(data, []), coding, lambda size: None)])

        with pytest.raises(InvalidInput, match=coding.value) as error:
            asyncio.run(read())
        assert error.value.field == "body"
        assert not arrived


def test_a_changed_byte_is_detected() -> None:
    whole = bytearray(gzip.compress(b'{"action": "a"}'))
    whole[-6] ^= 1  # an error in the checksum
    with pytest.raises(InvalidInput):
        undone(bytes(whole), Coding.gzip)


def test_a_compression_window_larger_than_http_allows_is_refused() -> None:
    # A header that requests 128 MiB, followed by a final block whose content is never read.
    frame = bytes.fromhex("28b52ffd") + bytes([0x00, 0x88]) + bytes.fromhex("010000")
    with pytest.raises(InvalidInput):
        undone(frame, Coding.zstd)
    allowed = ZstdCompressor(level=19)
    text = b"\n".join(b'{"action": "a%d"}' % number for number in range(1_000))
    assert undone(allowed.compress(text) + allowed.flush(), Coding.zstd)[0] == text


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        (" Identity ", None),
        ("gzip", Coding.gzip),
        ("X-GZIP", Coding.gzip),
        ("zstd", Coding.zstd),
        *((other, "refused") for other in ("br", "deflate", "compress", "gzip, gzip", "gzip,zstd", "identity, gzip")),
        *((other, "refused") for other in ("gzip,", ",", "gzip;q=1", "*", "zstd2", "none")),
    ],
)
def test_a_content_encoding_is_known_or_rejected(header: str, coding: Coding | str | None) -> None:
    if coding == "refused":
        with pytest.raises(MediaTypeUnsupported) as error:
            coding_of(header)
        assert error.value.field == "Content-Encoding"
        assert "gzip" in error.value.fix
        assert "zstd" in error.value.fix
    else:
        assert coding_of(header) is coding
