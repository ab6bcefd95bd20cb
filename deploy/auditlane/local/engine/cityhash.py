"""CityHash128 in the version that ClickHouse froze (1.0.2): the checksum of its compressed blocks."""

from __future__ import annotations

from struct import unpack_from

_MASK = (1 << 64) - 1
_K0 = 0xC3A5C85C97CB3127
_K1 = 0xB492B66FBE98F273
_K2 = 0x9AE16A3B2F90404F
_K3 = 0xC949D7C7509E6557
_KM = 0x9DDFEA08EB382D69


def cityhash128(data: bytes) -> tuple[int, int]:
    """The two 64-bit halves of the hash, low first. About 10 MB/s: it is for clients that insist on such blocks."""
    if len(data) >= 16:
        low, high = unpack_from("<QQ", data)
        return _seeded(data[16:], low ^ _K3, high)
    if len(data) >= 8:
        (low,), (high,) = unpack_from("<Q", data), unpack_from("<Q", data, len(data) - 8)
        return _seeded(b"", low ^ (len(data) * _K0 & _MASK), high ^ _K1)
    return _seeded(data, _K0, _K1)


def _rotate(value: int, shift: int) -> int:
    value &= _MASK
    return (value >> shift | value << (64 - shift)) & _MASK if shift else value


def _mix(value: int) -> int:
    value &= _MASK
    return value ^ (value >> 47)


def _hash16(low: int, high: int) -> int:
    low, high = low & _MASK, high & _MASK
    a = _mix((low ^ high) * _KM)
    b = _mix((high ^ a) * _KM)
    return b * _KM & _MASK


def _at(data: bytes, offset: int) -> int:
    return int(unpack_from("<Q", data, offset)[0])


def _hash0to16(data: bytes) -> int:
    size = len(data)
    if size > 8:
        a, b = _at(data, 0), _at(data, size - 8)
        return _hash16(a, _rotate(b + size, size)) ^ b
    if size >= 4:
        (a,), (b,) = unpack_from("<I", data), unpack_from("<I", data, size - 4)
        return _hash16(size + (a << 3), b)
    if size:
        first, middle, last = data[0], data[size >> 1], data[-1]
        return _mix((first + (middle << 8)) * _K2 ^ (size + (last << 2)) * _K3) * _K2 & _MASK
    return _K2


def _murmur(data: bytes, a: int, b: int) -> tuple[int, int]:
    size = len(data)
    if size <= 16:
        a = _mix(a * _K1) * _K1 & _MASK
        c = b * _K1 + _hash0to16(data) & _MASK
        d = _mix(a + (_at(data, 0) if size >= 8 else c))
    else:
        c = _hash16(_at(data, size - 8) + _K1, a)
        d = _hash16(b + size, c + _at(data, size - 16))
        a = a + d & _MASK
        for offset in range(0, max(size - 16, 1), 16):
            a = (a ^ _mix(_at(data, offset) * _K1) * _K1) * _K1 & _MASK
            b ^= a
            c = (c ^ _mix(_at(data, offset + 8) * _K1) * _K1) * _K1 & _MASK
            d ^= c
    a, b = _hash16(a, c), _hash16(d, b)
    return a ^ b, _hash16(b, a)


def _weak(w: int, x: int, y: int, z: int, a: int, b: int) -> tuple[int, int]:
    a = a + w
    b = _rotate(b + a + z, 21)
    c = a
    a = a + x + y
    return a + z & _MASK, b + _rotate(a, 44) + c & _MASK


def _seeded(data: bytes, x: int, y: int) -> tuple[int, int]:
    size = len(data)
    if size < 128:
        return _murmur(data, x, y)
    z = size * _K1 & _MASK
    v0 = _rotate(y ^ _K1, 49) * _K1 + _at(data, 0) & _MASK
    v1 = _rotate(v0, 42) * _K1 + _at(data, 8) & _MASK
    w0 = _rotate(y + z, 35) * _K1 + x & _MASK
    w1 = _rotate(x + _at(data, 88), 53) * _K1 & _MASK
    whole = size & ~127
    for offset in range(0, whole, 64):
        d0, d1, d2, d3, d4, d5, d6, d7 = unpack_from("<8Q", data, offset)
        x = _rotate(x + y + v0 + d2, 37) * _K1 & _MASK ^ w1
        y = _rotate(y + v1 + d6, 42) * _K1 & _MASK ^ v0
        z = _rotate(z ^ w0, 33)
        v0, v1 = _weak(d0, d1, d2, d3, v1 * _K1, x + w0)
        w0, w1 = _weak(d4, d5, d6, d7, z + w1, y)
        z, x = x, z
    y = y + _rotate(w0, 37) * _K0 + z & _MASK
    x = x + _rotate(v0 + z, 49) * _K0 & _MASK
    for back in range(32, size - whole + 32, 32):  # the rest, from the end, 32 bytes each
        e0, e1, e2, e3 = unpack_from("<4Q", data, size - back)
        y = _rotate(y - x, 42) * _K0 + v1 & _MASK
        w0 = w0 + e2 & _MASK
        x = _rotate(x, 49) * _K0 + w0 & _MASK
        w0 = w0 + v0 & _MASK
        v0, v1 = _weak(e0, e1, e2, e3, v0, v1)
    x = _hash16(x, v0)
    y = _hash16(y, w0)
    return _hash16(x + v1, w1) + y & _MASK, _hash16(x + w1, y + v1)
