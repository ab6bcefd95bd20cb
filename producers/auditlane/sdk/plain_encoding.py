"""Checks and encodes the keywords of `emit` in one pass, without an AuditEvent. Most events take this path.

It accepts only values of the usual types. Other values and invalid values are left to the model and fastavro, which
describe the problem. An event encoded here is valid there too, with the same bytes, as
`tests/unit/sdk/test_plain_encoding.py` verifies.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

from auditlane.contract import rules
from auditlane.contract.event import Outcome, Severity, parse_ip
from auditlane.contract.json_values import json_text
from auditlane.contract.provenance import is_ours
from auditlane.contract.tenant_contract import Field, TenantContract, base_fields
from auditlane.contract.tenants import OURS, is_tenant
from auditlane.contract.window import NEWEST, OLDEST
from auditlane.contract.wire import HEADER_BYTES, frame
from auditlane.runtime.ids import uuid7
from auditlane.sdk.field_values import converted

_MISSING: Final[Any] = object()
_NONE: Final[dict[str, Any]] = {}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_OLDEST_US: Final = OLDEST // _MICROSECOND
_NEWEST_US: Final = NEWEST // _MICROSECOND
_CACHED: Final = 4_096  # maximum number of entries in a cache of encoded values
_CACHED_CHARACTERS: Final = 256  # maximum length of a cached value
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
# The subset of RFC 3339 that Python and pydantic parse alike.
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
).fullmatch


class _Unusual(ValueError):
    """Raised for a value that is invalid, or of a type that only the model converts."""


def varint(number: int) -> bytes:
    """Encode an Avro long."""
    return _groups(number << 1 if number >= 0 else ~(number << 1))


def _groups(bits: int) -> bytes:
    """Encode bits in groups of seven, lowest first."""
    encoded = bytearray()
    while bits > 0x7F:
        encoded.append(bits & 0x7F | 0x80)
        bits >>= 7
    encoded.append(bits)
    return bytes(encoded)


class _Recurring(dict[str, bytes]):
    """A cache of encoded recurring strings, whose check may be costly. Missing entries are computed on access. Raises
    ValueError for an invalid string.
    """

    def __init__(self, encode: Callable[[str], bytes]) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, text: str) -> bytes:
        encoded = self._encode(text)
        if len(text) <= _CACHED_CHARACTERS:
            if len(self) >= _CACHED:
                self.clear()
            self[text] = encoded
        return encoded


_NULL: Final = b"\x00"  # tags of a union of null and string, in the base schema's order
_PRESENT: Final = b"\x02"
_ID_LENGTH: Final = varint(36)
_SHORT: Final = 256
# encoded lengths of strings, indexed by length in bytes
_LENGTH: Final = tuple(varint(length) for length in range(_SHORT))
_PRESENT_LENGTH: Final = tuple(_PRESENT + length for length in _LENGTH)


def _text(value: Any) -> bytes:
    if type(value) is not str:
        raise _Unusual
    encoded = value.encode()
    size = len(encoded)
    return (_LENGTH[size] if size < _SHORT else varint(size)) + encoded


def _present(value: Any) -> bytes:
    if type(value) is not str:
        raise _Unusual
    encoded = value.encode()
    size = len(encoded)
    return (_PRESENT_LENGTH[size] if size < _SHORT else _PRESENT + varint(size)) + encoded


def _tenant(value: str) -> bytes:
    if not is_tenant(value) or value == OURS:
        raise _Unusual
    return _text(value)


def _action(value: str) -> bytes:
    if not value or value.isspace():
        raise _Unusual
    return _text(value)


def _source(value: str) -> bytes:
    if value and is_ours(value):
        raise _Unusual
    return _text(value)


def _ip(value: str) -> bytes:
    if not value:
        return _NULL
    if parse_ip(value) is None:
        raise _Unusual
    return _present(value)


_TENANTS: Final = _Recurring(_tenant)
_ACTIONS: Final = _Recurring(_action)
_SOURCES: Final = _Recurring(_source)
_IPS: Final = _Recurring(_ip)
_TEXTS: Final = _Recurring(_text)
_OUTCOMES: Final = {outcome.value: varint(at) for at, outcome in enumerate(Outcome)}
_SEVERITIES: Final = {severity.value: varint(at) for at, severity in enumerate(Severity)}


def _agent(value: Any) -> bytes:
    return _present(value) if type(value) is not str or value else _NULL


def _state(value: Any) -> bytes:
    if type(value) is str:
        return _present(value)
    if isinstance(value, str):  # the model keeps some of these unchanged
        raise _Unusual
    return _present(json_text(value))


def _id(value: Any) -> str:
    if type(value) is str and _UUID(value):
        return value
    if type(value) is UUID:
        return str(value)
    raise _Unusual


def _micros(value: Any) -> int:
    """Return the microseconds since 1970 for a time with a time zone."""
    if type(value) is str and _TIME(value):
        value = datetime.fromisoformat(value)
    if type(value) is not datetime or (value.tzinfo is not UTC and type(value.tzinfo) is not timezone):
        raise _Unusual
    return (value - _EPOCH) // _MICROSECOND


class _Seconds(dict[int, bytes]):
    """A cache of encoded times' last bytes, which stay the same for about a second. Missing entries are computed on
    access.
    """

    def __missing__(self, high: int) -> bytes:
        if len(self) >= _CACHED:
            self.clear()
        self[high] = encoded = _groups(high)
        return encoded


_SECONDS: Final = _Seconds()


def _time(micros: int) -> bytes:
    """Encode a time since 1971. The first three bytes hold seven bits each; most events of a second share the rest."""
    low = micros << 1 & 0x1FFFFF
    bits = low & 0x7F | (low & 0x3F80) << 1 | (low & 0x1FC000) << 2 | 0x808080
    return bits.to_bytes(3, "little") + _SECONDS[micros >> 20]


def _texts(metadata: Any) -> bytes:
    if type(metadata) is not dict:
        raise _Unusual
    if not metadata:
        return b"\x00"
    size = len(metadata)
    encoded = _LENGTH[size] if size < _SHORT else varint(size)
    for name, value in metadata.items():
        if type(name) is not str:
            raise _Unusual
        encoded += _TEXTS[name] + _text(value)
    return encoded + b"\x00"


@dataclass(frozen=True, slots=True)
class _Own:
    """Encodes one custom field. `absent` contains the bytes for an omitted field, or None if it cannot be omitted."""

    field: Field
    write: Callable[[Any], bytes]  # encodes a value that is already in Avro's form
    null: bytes | None
    prefix: bytes  # the tag before a value if the type is a union
    default: Any
    absent: bytes | None  # None if it cannot be omitted

    @classmethod
    def of(cls, field: Field, *, is_fit: bool) -> _Own:
        null = prefix = None
        if field.union:
            prefix = varint(1) if field.null_at == 0 else varint(0)
            null = None if field.null_at is None else varint(field.null_at)
        write = _WRITERS[field.kind] if field.kind != "enum" else _symbols(field.symbols)
        absent = null
        if field.default is not None:
            absent = (prefix or b"") + write(field.default) if is_fit else None
        return cls(field, write, null, prefix or b"", field.default, absent)

    def encode(self, value: Any) -> bytes:
        """Encode a value. Raises ValueError if the field does not accept it or it breaks a rule."""
        if type(value) is not str or self.field.kind != "string":
            value = converted(self.field, value)
        self.check(value)
        if value is None:
            assert self.null is not None
            return self.null
        return self.prefix + self.write(value)

    def check(self, value: Any) -> None:
        if self.field.rules and rules.check_value(self.field.rules, value):
            raise _Unusual


def _symbols(symbols: tuple[str, ...]) -> Callable[[Any], bytes]:
    return {symbol: varint(at) for at, symbol in enumerate(symbols)}.__getitem__


_WRITERS: Final[Mapping[str, Callable[[Any], bytes]]] = {
    "string": _text,
    "boolean": lambda value: b"\x01" if value else b"\x00",
    "int": varint,
    "long": varint,
    "float": struct.Struct("<f").pack,
    "double": struct.Struct("<d").pack,
    "timestamp": lambda value: varint(value if isinstance(value, int) else (value - _EPOCH) // _MICROSECOND),
}


class PlainEncoder:
    """Encodes events with one schema, in which the base fields come first and in the usual order. Immutable."""

    __slots__ = ("_header", "_own", "_ruled")

    def __init__(self, schema_id: int, own: tuple[_Own, ...], ruled: tuple[Field, ...]) -> None:
        self._header = frame(schema_id, b"")
        self._own = own
        self._ruled = ruled

    @classmethod
    def of(cls, schema_id: int, contract: TenantContract, unfit: Mapping[str, str]) -> PlainEncoder | None:
        """Return a contract's encoder, or None if its base fields differ or do not come first.

        `unfit` names custom fields with invalid defaults.
        """
        base = base_fields()
        first = contract.fields[: len(base)]
        if list(map(_layout, first)) != list(map(_layout, base.values())):
            return None
        own = tuple(_Own.of(field, is_fit=field.name not in unfit) for field in contract.fields[len(base) :])
        return cls(schema_id, own, tuple(field for field in first if field.rules))

    def encode(self, values: Mapping[str, Any], now_us: int, max_bytes: int) -> tuple[str, bytes] | None:
        """Return the id and framed Kafka value for an event given by `emit`'s keyword values, or None if it needs full
        validation.

        `now_us` is the time in microseconds since 1970.
        """
        try:
            event_id, value = self._encoded(now_us, **values)
        except MemoryError:
            raise
        except Exception:  # a value's own code may raise any exception
            return None
        return (event_id, value) if len(value) - HEADER_BYTES <= max_bytes else None

    def _encoded(
        self,
        now_us: int,
        /,
        *,
        tenant_id: Any,
        action: Any,
        event_id: Any = _MISSING,
        occurred_at: Any = _MISSING,
        actor_id: Any = "",
        actor_type: Any = "user",
        actor_name: Any = None,
        on_behalf_of: Any = None,
        resource: Any = "",
        resource_id: Any = None,
        outcome: Any = "unknown",
        severity: Any = "Info",
        description: Any = None,
        ip: Any = None,
        user_agent: Any = None,
        request_id: Any = None,
        before: Any = None,
        after: Any = None,
        source: Any = "",
        metadata: Any = _NONE,
        fields: Any = _NONE,
        **custom: Any,
    ) -> tuple[str, bytes]:
        if not type(tenant_id) is type(action) is type(actor_type) is type(resource) is type(source) is str:
            raise _Unusual
        if type(outcome) is not str and type(outcome) is not Outcome:
            raise _Unusual
        if type(severity) is not str and type(severity) is not Severity:
            raise _Unusual
        if ip is not None and type(ip) is not str:
            raise _Unusual
        event_id = uuid7() if event_id is _MISSING else _id(event_id)
        micros = now_us
        if occurred_at is not _MISSING:
            micros = _micros(occurred_at)
            if not now_us - _OLDEST_US <= micros <= now_us + _NEWEST_US:
                raise _Unusual
        value = b"".join(
            (
                self._header,
                _ID_LENGTH,
                event_id.encode(),
                _TENANTS[tenant_id],
                _time(micros),
                _ACTIONS[action],
                _text(actor_id),
                _TEXTS[actor_type],
                _NULL if actor_name is None else _present(actor_name),
                _NULL if on_behalf_of is None else _present(on_behalf_of),
                _TEXTS[resource],
                _NULL if resource_id is None else _present(resource_id),
                _OUTCOMES[outcome],
                _SEVERITIES[severity],
                _NULL if description is None else _present(description),
                _NULL if ip is None else _IPS[ip],
                _NULL if user_agent is None else _agent(user_agent),
                _NULL if request_id is None else _present(request_id),
                _NULL if before is None else _state(before),
                _NULL if after is None else _state(after),
                _SOURCES[source],
                _texts(metadata),
                b"" if not self._own and fields is _NONE and not custom else self._own_fields(fields, custom),
            )
        )
        if self._ruled:
            self._check_rules(locals())
        return event_id, value

    def _own_fields(self, fields: Any, custom: dict[str, Any]) -> bytes:
        if type(fields) is not dict:
            raise _Unusual
        given = {**fields, **custom} if fields else custom
        left = len(given)
        parts = []
        for own in self._own:
            value = given.get(own.field.name, _MISSING)
            if value is not _MISSING:
                left -= 1
                parts.append(own.encode(value))
            elif own.absent is not None:
                own.check(own.default)
                parts.append(own.absent)
            else:
                raise _Unusual
        if left:  # a field that the contract lacks
            raise _Unusual
        return b"".join(parts)

    def _check_rules(self, record: dict[str, Any]) -> None:
        """Check the base fields' rules, for a record whose values are otherwise valid."""
        for name in ("ip", "user_agent"):
            record[name] = record[name] or None
        for name in ("before", "after"):
            if record[name] is not None and type(record[name]) is not str:
                record[name] = json_text(record[name])
        for name in ("outcome", "severity"):
            record[name] = str(record[name])
        for field in self._ruled:
            if rules.check_value(field.rules, record[field.name]):
                raise _Unusual


def _layout(field: Field) -> tuple[Any, ...]:
    return field.name, field.kind, field.null_at, field.union, field.symbols
