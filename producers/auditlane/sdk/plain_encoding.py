"""Checks and encodes the keywords of `emit` in one pass, without an AuditEvent. Most events take this path.

It accepts only values of the usual types. Other values and invalid values are left to the model and fastavro, which
describe the problem. An event encoded here is valid there too, with the same bytes, as
`tests/unit/sdk/test_plain_encoding.py` verifies.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from auditlane.contract import rules
from auditlane.contract.event import Outcome, Severity
from auditlane.contract.json_values import json_text
from auditlane.contract.tenant_contract import Field, TenantContract, base_fields
from auditlane.contract.wire import HEADER_BYTES, frame
from auditlane.runtime.ids import uuid7
from auditlane.sdk import plain_values as plain
from auditlane.sdk.compiled_encoding import NAMES, CompiledEncoders, source
from auditlane.sdk.field_values import converted
from auditlane.sdk.plain_values import EPOCH, MICROSECOND, Unusual, varint

_MISSING: Final[Any] = object()
_NONE: Final[dict[str, Any]] = {}
_ID_AT: Final = HEADER_BYTES + 1  # position of the event id, after its length
_COMPILED: Final = CompiledEncoders(source, NAMES)


def event_id_of(value: bytes) -> str:
    """Return the event id in a Kafka value that PlainEncoder encoded."""
    return value[_ID_AT : _ID_AT + 36].decode()


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
            raise Unusual


def _symbols(symbols: tuple[str, ...]) -> Callable[[Any], bytes]:
    return {symbol: varint(at) for at, symbol in enumerate(symbols)}.__getitem__


_WRITERS: Final[Mapping[str, Callable[[Any], bytes]]] = {
    "string": lambda value: plain.text(value).encode("latin-1"),
    "boolean": lambda value: b"\x01" if value else b"\x00",
    "int": varint,
    "long": varint,
    "float": struct.Struct("<f").pack,
    "double": struct.Struct("<d").pack,
    "timestamp": lambda value: varint(value if isinstance(value, int) else (value - EPOCH) // MICROSECOND),
}


class PlainEncoder:
    """Encodes events with one schema. Its base fields must come first and in the usual order. Immutable."""

    __slots__ = ("_header", "_own", "_ruled", "has_rules", "more")

    def __init__(self, schema_id: int, own: tuple[_Own, ...], ruled: tuple[Field, ...]) -> None:
        self._header = plain.wire(frame(schema_id, varint(36)))  # with the length of the event id
        self._own = own
        self._ruled = ruled
        self.has_rules = bool(ruled)  # for base fields, which no compiled function checks
        self.more = self._header, self._own_fields, bool(own)  # arguments of a compiled function

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
        compiled = None if self._ruled else _COMPILED.get(tuple(values))
        try:
            if compiled is None:
                event_id, value = self._encoded(now_us, **values)
            else:
                try:
                    event_id, value = compiled(values, now_us, *self.more)
                except IndexError:  # a text is longer than the tables of encoded lengths
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
            raise Unusual
        if type(outcome) is not str and type(outcome) is not Outcome:
            raise Unusual
        if type(severity) is not str and type(severity) is not Severity:
            raise Unusual
        if ip is not None and type(ip) is not str:
            raise Unusual
        event_id = uuid7() if event_id is _MISSING else plain.id_text(event_id)
        value = "".join(
            (
                self._header,
                event_id,
                plain.TENANTS[tenant_id],
                plain.time(now_us if occurred_at is _MISSING else plain.micros(occurred_at, now_us)),
                plain.ACTIONS[action],
                plain.text(actor_id),
                plain.TEXTS[actor_type],
                plain.optional(actor_name),
                plain.optional(on_behalf_of),
                plain.TEXTS[resource],
                plain.optional(resource_id),
                plain.OUTCOMES[outcome],
                plain.SEVERITIES[severity],
                plain.optional(description),
                plain.NULL if ip is None else plain.IPS[ip],
                plain.agent(user_agent),
                plain.optional(request_id),
                plain.state(before),
                plain.state(after),
                plain.SOURCES[source],
                plain.texts(metadata),
            )
        ).encode("latin-1")
        if self._own or fields is not _NONE or custom:
            value += self._own_fields(fields, custom)
        if self._ruled:
            self._check_rules(locals())
        return event_id, value

    def _own_fields(self, fields: Any, custom: dict[str, Any]) -> bytes:
        if type(fields) is not dict:
            raise Unusual
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
                raise Unusual
        if left:  # a field that the contract lacks
            raise Unusual
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
                raise Unusual


def _layout(field: Field) -> tuple[Any, ...]:
    return field.name, field.kind, field.null_at, field.union, field.symbols
