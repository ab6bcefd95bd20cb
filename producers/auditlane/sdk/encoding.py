"""One schema version as the SDK uses it: checks an event against it, naming the field, and encodes the datum."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import fastavro

from auditlane.contract import rules
from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.contract.json_values import json_text
from auditlane.contract.tenant_contract import Field, TenantContract, default_problem
from auditlane.contract.values import StoredFields, as_stored, from_text
from auditlane.contract.wire import frame
from auditlane.runtime.errors import EventTooLarge, InvalidEvent, InvalidInput, RegistryRefused

_INT_RANGES: Final = {"int": 31, "long": 63}
_DEFAULTS: Final[dict[str, Any]] = {
    name: {} if name == "metadata" else info.default
    for name, info in AuditEvent.model_fields.items()
    if name not in ("event_id", "tenant_id", "occurred_at", "action", "fields")
}


@dataclass(frozen=True, slots=True)
class Encoder:
    """A registered schema, parsed once. Immutable, so threads share it."""

    subject: str
    schema_id: int
    schema: Any
    contract: TenantContract
    own: dict[str, Field]
    ruled: tuple[Field, ...]
    absent: tuple[str, ...]  # base fields that this version does not have
    defaults: dict[str, Any]  # of own fields, where they are not null
    unfit: dict[str, str]  # own fields whose default no worker would store, and why
    size: int  # characters of the schema's text
    patterned: tuple[tuple[str, int], ...]  # fields with a pattern, and its states

    @classmethod
    def parse(cls, subject: str, schema_id: int, text: str) -> Encoder:
        """Raises RegistryRefused when the registered schema does not describe an event."""
        try:
            contract = TenantContract.parse(text)
            schema = fastavro.parse_schema(json.loads(text))
        except (InvalidInput, ValueError, KeyError, fastavro.schema.SchemaParseException) as error:
            raise RegistryRefused(
                f"The schema {schema_id} of {subject} is no contract of an event: {error}",
                fix="Register a corrected version of it.",
            ) from error
        named = {one.name for one in contract.fields}
        return cls(
            subject,
            schema_id,
            schema,
            contract,
            {one.name: one for one in contract.own},
            contract.ruled,
            tuple(name for name in BASE_FIELDS if name not in named),
            {one.name: one.default for one in contract.own if one.default is not None},
            {one.name: problem for one in contract.own if (problem := default_problem(one))},
            len(text),
            tuple((one.name, one.rules.pattern.states) for one in contract.ruled if one.rules.pattern),
        )

    def encode(self, event: AuditEvent, max_event_bytes: int) -> bytes:
        """The framed Kafka value. Raises InvalidEvent that names the field."""
        record = event.record()
        for name in event.fields:
            record[name] = self._own_value(name, event)
        if self.defaults:
            self._fill(record, event)
        self._check_absent(record)
        for one in self.ruled:
            broken = rules.check_value(one.rules, record.get(one.name))
            if broken:
                raise InvalidEvent(
                    f"{one.name} {rules.sentence(one.rules, broken)} (rule of {event.tenant_id}'s contract).",
                    field=one.name,
                )
        out = io.BytesIO()
        try:
            fastavro.schemaless_writer(out, self.schema, record)
        except (ValueError, TypeError, OverflowError, KeyError) as error:
            raise InvalidEvent(f"The event does not fit schema {self.schema_id}: {error}") from error
        datum = out.getvalue()
        if len(datum) > max_event_bytes:
            largest = max(record, key=lambda name: _size(record[name]))
            raise EventTooLarge(
                f"The encoded event has {len(datum)} bytes (limit {max_event_bytes}); its largest field is {largest}.",
                field=largest,
                fix="Keep large objects elsewhere and put their address into the event.",
            )
        return frame(self.schema_id, datum)

    def _fill(self, record: dict[str, Any], event: AuditEvent) -> None:
        """The defaults of fields that the event does not carry: they are stored, so they are held to the rules too."""
        whole = isinstance(event.fields, StoredFields) and event.fields.whole
        for name, default in self.defaults.items():
            if name in record:
                continue
            if whole and self.own[name].nullable:
                record[name] = None
                continue
            if name in self.unfit:
                raise InvalidEvent(
                    f"{name} is missing, and its default in {event.tenant_id}'s contract {self.unfit[name]}.",
                    field=name,
                    fix="Give the field a value, or correct its default in the contract.",
                )
            record[name] = default

    def _own_value(self, name: str, event: AuditEvent) -> Any:
        described = self.own.get(name)
        if described is None:
            known = ", ".join(self.own) or "none"
            raise InvalidEvent(
                f"{name} is no field of an event, nor of {event.tenant_id}'s contract (its own fields: {known}).",
                field=name,
                fix="Correct the name, add the field to the contract, or put the value into metadata.",
            )
        value = event.fields[name]
        if isinstance(value, str) and isinstance(event.fields, StoredFields):
            value = from_text(described.kind, value)
            if described.kind == "timestamp" and isinstance(value, int):
                return value
        try:
            return _converted(described, value)
        except ValueError as error:
            raise InvalidEvent(f"{name} {error}.", field=name) from None

    def _check_absent(self, record: dict[str, Any]) -> None:
        """A base field that the tenant's older contract lacks would be dropped in silence."""
        for name in self.absent:
            if record.pop(name) != _DEFAULTS.get(name):
                raise InvalidEvent(
                    f"{name} is not in version {self.schema_id} of {self.subject}, so it cannot be sent.",
                    field=name,
                    fix="Register a version of the contract that has the field, or leave it out.",
                )


def _size(value: Any) -> int:
    return len(str(value)) if value is not None else 0


def _converted(one: Field, value: Any) -> Any:
    """The value as Avro takes it. Raises ValueError, the end of a sentence that begins with the field's name."""
    if value is None:
        if one.nullable:
            return None
        raise ValueError("must not be null")
    kind = one.kind
    if kind == "boolean":
        if isinstance(value, bool):
            return value
        raise ValueError("must be true or false")
    if kind in _INT_RANGES:
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and -1 << _INT_RANGES[kind] <= value < 1 << _INT_RANGES[kind]
        ):
            return value
        raise ValueError(f"must be a whole number of {_INT_RANGES[kind] + 1} bits")
    if kind in ("float", "double"):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _number(kind, value)
        raise ValueError("must be a number")
    if kind == "enum":
        if isinstance(value, str) and value in one.symbols:
            return str(value)
        raise ValueError("must be one of " + ", ".join(one.symbols))
    if kind == "timestamp":
        return _time(value)
    return _text(value)


def _number(kind: str, value: int | float) -> float:
    """As it is stored: a rule is about what readers see."""
    try:
        return float(as_stored(kind, value))
    except OverflowError:
        raise ValueError(f"must be a number of {32 if kind == 'float' else 64} bits") from None


def _time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(time, datetime) and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a time with a zone, such as 2024-05-01T12:00:00Z")


def _text(value: Any) -> str:
    """Text as it is; lists and objects as JSON text, the way a contract carries them."""
    if isinstance(value, (dict, list)):
        value = json_text(value)
    if not isinstance(value, str):
        raise ValueError("must be text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("has a character that UTF-8 cannot carry (a lone surrogate)") from None
    return value
