"""Read one Avro datum exactly: decides what the fast decoder cannot, and says what is wrong with it.

Strict where general readers are lenient: every index in its range, booleans 0 or 1, UTF-8 text, no map key twice, no
byte left over. Source: "Binary encoding" in the Avro 1.12 specification.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, Final

from auditlane.contract.tenant_contract import Field

_FLOAT: Final = struct.Struct("<f")
_DOUBLE: Final = struct.Struct("<d")
_VARINT_BYTES: Final = 10


class Malformed(ValueError):
    """The bytes are not a datum of their schema; the message says where and why."""


def read(fields: Iterable[Field], datum: bytes) -> dict[str, Any]:
    """The values by field name: enums as symbols, times as microseconds, maps as lists of pairs. Raises Malformed."""
    values, problem = read_partly(fields, datum)
    if problem:
        raise Malformed(problem)
    return values


def read_partly(fields: Iterable[Field], datum: bytes) -> tuple[dict[str, Any], str]:
    """(the values of the fields before the first that is malformed, what is wrong with that one; empty if nothing)."""
    reader = _Reader(datum)
    values: dict[str, Any] = {}
    for field in fields:
        try:
            values[field.name] = reader.value(field)
        except Malformed as error:
            return values, f"{field.name}: {error}."
    left = len(datum) - reader.at
    return values, f"{left} bytes are left after the last field." if left else ""


class _Reader:
    def __init__(self, datum: bytes) -> None:
        self.datum = datum
        self.at = 0

    def value(self, field: Field) -> Any:
        if field.union:
            branch = self.long()
            if not 0 <= branch < 1 + field.nullable:
                raise Malformed(f"there is no branch {branch} in the union")
            if branch == field.null_at:
                return None
        return self.plain(field)

    def plain(self, field: Field) -> Any:
        match field.kind:
            case "string":
                return self.text()
            case "long" | "timestamp":
                return self.long()
            case "int":
                value = self.long()
                if not -(2**31) <= value < 2**31:
                    raise Malformed(f"{value} is no 32-bit number")
                return value
            case "float":
                return _FLOAT.unpack(self.take(_FLOAT.size))[0]
            case "double":
                return _DOUBLE.unpack(self.take(_DOUBLE.size))[0]
            case "boolean":
                value = self.take(1)[0]
                if value > 1:
                    raise Malformed(f"{value} is neither true nor false")
                return value == 1
            case "enum":
                index = self.long()
                if not 0 <= index < len(field.symbols):
                    raise Malformed(f"there is no symbol {index} in the enum")
                return field.symbols[index]
            case _:
                return self.pairs()

    def take(self, count: int) -> bytes:
        taken = self.datum[self.at : self.at + count]
        if len(taken) < count:
            raise Malformed(f"the datum ends {count - len(taken)} bytes early")
        self.at += count
        return taken

    def long(self) -> int:
        number = 0
        for index in range(_VARINT_BYTES):
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                number &= 0xFFFF_FFFF_FFFF_FFFF
                return (number >> 1) ^ -(number & 1)
        raise Malformed("a number has more than ten bytes")

    def text(self) -> str:
        length = self.long()
        if length < 0:
            raise Malformed("a text has a negative length")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            raise Malformed("a text is not UTF-8") from None

    def pairs(self) -> list[tuple[str, str]]:
        pairs: dict[str, str] = {}
        while count := self.long():
            if count < 0:  # the block's size in bytes follows, for readers that skip
                self.long()
            for _ in range(abs(count)):
                key = self.text()
                if key in pairs:
                    raise Malformed(f"the key {key[:100]!r} is there twice")
                pairs[key] = self.text()
        return list(pairs.items())
