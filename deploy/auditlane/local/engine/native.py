"""Native as network clients want it: a header block for an empty result, and blocks of their protocol version.

The engine writes Native without a protocol version. A client that names one (clickhouse-go) expects block info before
each block and a byte after each column's type; the data of the columns are the same. So we walk over them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from auditlane.local.engine.errors import NOT_IMPLEMENTED, EngineError

_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # not overflows; bucket -1; end
_CUSTOM_SERIALIZATION = 54454  # from this protocol version on, a byte says that a column is not serialised as usual

_WIDTHS = {
    8: "Int64 UInt64 Float64 DateTime64 Decimal64 Time64",
    4: "Int32 UInt32 Float32 DateTime Date32 IPv4 Decimal32 Time",
    2: "Int16 UInt16 Date Enum16 BFloat16",
    1: "Int8 UInt8 Bool Enum8 Nothing",
    16: "Int128 UInt128 UUID IPv6 Decimal128",
    32: "Int256 UInt256 Decimal256",
}
_WIDTH = {name: width for width, names in _WIDTHS.items() for name in names.split()}
_POINTS = {
    "Point": "Tuple(Float64, Float64)",
    "Ring": "Array(Point)",
    "LineString": "Array(Point)",
    "Polygon": "Array(Ring)",
    "MultiLineString": "Array(LineString)",
    "MultiPolygon": "Array(Polygon)",
}
_NAMED = re.compile(r"(?:`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*) (?=[A-Z])")


def header(columns: Iterable[tuple[str, str]]) -> bytes:
    """A block of no rows that names the columns and their types."""
    listed = list(columns)
    parts = [_varint(len(listed)), _varint(0)]
    for name, kind in listed:
        parts += [_text(name), _text(kind)]
    return b"".join(parts)


def versioned(pieces: Iterable[bytes], version: int) -> Iterator[bytes]:
    """Blocks as the engine wrote them, rewritten for a protocol version; one piece for each block.

    Raises EngineError for a type whose length we cannot tell.
    """
    source = _Source(iter(pieces))
    mark = b"\x00" if version >= _CUSTOM_SERIALIZATION else b""
    while not source.ended():
        start = source.position
        columns, rows = source.varint(), source.varint()
        out = [_BLOCK_INFO, source.since(start)]
        for _ in range(columns):
            start = source.position
            source.text()
            kind = source.text()
            out += [source.since(start), mark]
            start = source.position
            if rows:
                column = parse_type(kind)
                column.prefix(source)
                column.data(source, rows)
            out.append(source.since(start))
        source.forget()
        yield b"".join(out)


class _Source:
    """A growing buffer over the pieces; positions count from the last `forget`."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray()
        self.position = 0

    def _need(self, count: int) -> None:
        while len(self._held) - self.position < count:
            piece = next(self._pieces, None)
            if piece is None:
                raise EngineError(NOT_IMPLEMENTED, "The Native result could not be read to its end")
            self._held += piece

    def ended(self) -> bool:
        while len(self._held) == self.position:
            piece = next(self._pieces, None)
            if piece is None:
                return True
            self._held += piece
        return False

    def skip(self, count: int) -> None:
        self._need(count)
        self.position += count

    def number(self, width: int = 8) -> int:
        self.skip(width)
        return int.from_bytes(self._held[self.position - width : self.position], "little")

    def varint(self) -> int:
        value = shift = 0
        while True:
            self._need(1)
            byte = self._held[self.position]
            self.position += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def text(self) -> str:
        size = self.varint()
        self.skip(size)
        return self._held[self.position - size : self.position].decode("utf-8", "replace")

    def texts(self, count: int) -> None:
        """Skip `count` strings; the common short ones without a call each."""
        held = self._held
        position = self.position
        for _ in range(count):
            if position < len(held) and (size := held[position]) < 128 and position + size < len(held):
                position += size + 1
                continue
            self.position = position
            self.skip(self.varint())
            position = self.position
        self.position = position

    def since(self, start: int) -> bytes:
        return bytes(self._held[start : self.position])

    def forget(self) -> None:
        del self._held[: self.position]
        self.position = 0


class _Fixed:
    """A type of so many bytes a value."""

    def __init__(self, width: int) -> None:
        self.width = width

    def prefix(self, source: _Source) -> None:
        """What comes once before a column's data."""

    def data(self, source: _Source, rows: int) -> None:
        source.skip(rows * self.width)


class _String(_Fixed):
    def data(self, source: _Source, rows: int) -> None:
        source.texts(rows)


class _Nested(_Fixed):
    """Columns one after another, perhaps behind a null map or offsets."""

    def __init__(self, parts: list[_Fixed]) -> None:
        super().__init__(0)
        self.parts = parts

    def prefix(self, source: _Source) -> None:
        for part in self.parts:
            part.prefix(source)

    def data(self, source: _Source, rows: int) -> None:
        for part in self.parts:
            part.data(source, rows)


class _Nullable(_Nested):
    def data(self, source: _Source, rows: int) -> None:
        source.skip(rows)
        super().data(source, rows)


class _Array(_Nested):
    def data(self, source: _Source, rows: int) -> None:
        source.skip((rows - 1) * 8 if rows else 0)
        super().data(source, source.number() if rows else 0)


class _LowCardinality(_Nested):
    """A dictionary and indexes into it; `rows` of its own, none of which are written when there are none."""

    def prefix(self, source: _Source) -> None:
        source.skip(8)

    def data(self, source: _Source, rows: int) -> None:
        if not rows:
            return
        flags = source.number()
        super().data(source, source.number())
        source.skip(source.number() * (1 << (flags & 0xFF)))


def parse_type(kind: str) -> _Fixed:
    """How the data of a type are laid out. Raises EngineError for one that we do not know."""
    name, _, inner = kind.partition("(")
    inside = inner[:-1]
    simple: _Fixed | None = _Fixed(_WIDTH[name]) if name in _WIDTH else None
    if name in _POINTS:
        simple = parse_type(_POINTS[name])
    elif name == "String":
        simple = _String(0)
    elif name == "FixedString":
        simple = _Fixed(int(inside))
    elif name == "Decimal":
        precision = int(inside.split(",")[0])
        simple = _Fixed(next(width for width, most in ((4, 9), (8, 18), (16, 38), (32, 76)) if precision <= most))
    elif name.startswith("Interval"):
        simple = _Fixed(8)
    return simple or _composed(kind, name, inside)


def _composed(kind: str, name: str, inside: str) -> _Fixed:
    parts = _split(inside)
    match name:
        case "Nullable":
            return _Nullable([parse_type(inside)])
        case "Array":
            return _Array([parse_type(inside)])
        case "Map":
            return _Array([_Nested([parse_type(part) for part in parts])])
        case "Tuple":
            return _Nested([parse_type(_NAMED.sub("", part, count=1)) for part in parts])
        case "Nested":
            return _Array([_Nested([parse_type(_NAMED.sub("", part, count=1)) for part in parts])])
        case "LowCardinality":
            # Inside, Nullable adds a key of its own and no null map.
            return _LowCardinality(
                [
                    parse_type(
                        inside.removeprefix("Nullable(").removesuffix(")") if inside.startswith("Nullable(") else inside
                    )
                ]
            )
        case "SimpleAggregateFunction":
            return parse_type(parts[-1])
    raise EngineError(NOT_IMPLEMENTED, f"{kind} is not supported in Native with a protocol version: cast it to String")


def _split(inside: str) -> list[str]:
    """Split at the commas of the top level."""
    parts, depth, start, quoted = [], 0, 0, ""
    for index, char in enumerate(inside):
        if quoted:
            quoted = "" if char == quoted and inside[index - 1] != "\\" else quoted
        elif char in "'`":
            quoted = char
        elif char in "()":
            depth += 1 if char == "(" else -1
        elif char == "," and not depth:
            parts.append(inside[start:index].strip())
            start = index + 1
    return [*parts, inside[start:].strip()]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(value: str) -> bytes:
    encoded = value.encode("utf-8", "surrogateescape")
    return _varint(len(encoded)) + encoded
