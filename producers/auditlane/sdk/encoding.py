"""Checks an event against one schema version of its tenant's contract, and encodes it for Kafka."""

from __future__ import annotations

import io
import json
import sys
import time
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import fastavro

from auditlane.contract import rules
from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.contract.tenant_contract import Field, TenantContract, default_problem
from auditlane.contract.values import StoredFields, from_text
from auditlane.contract.wire import frame
from auditlane.runtime.errors import EventTooLarge, InvalidEvent, InvalidInput, RegistryRefused
from auditlane.sdk.field_values import converted
from auditlane.sdk.plain_encoding import PlainEncoder

_DEFAULTS: Final[dict[str, Any]] = {
    name: {} if name == "metadata" else info.default
    for name, info in AuditEvent.model_fields.items()
    if name not in ("event_id", "tenant_id", "occurred_at", "action", "fields")
}


@dataclass(frozen=True, slots=True)
class Encoder:
    """Encodes events with a registered schema, which is parsed once. Immutable, so threads can share it."""

    subject: str
    schema_id: int
    schema: Any
    contract: TenantContract
    own: dict[str, Field]
    ruled: tuple[Field, ...]
    absent: tuple[str, ...]  # base fields missing from this version
    defaults: dict[str, Any]  # custom field -> its default, unless null
    unfit: dict[str, str]  # custom field -> why workers would reject its default
    size: int  # length of the schema's text in characters
    patterned: tuple[tuple[str, int], ...]  # (field, number of its pattern's states)
    plain: PlainEncoder | None  # encodes most events much faster; None if the base fields do not come first

    @classmethod
    def parse(cls, subject: str, schema_id: int, text: str) -> Encoder:
        """Parse a registered schema's text. Raises RegistryRefused if it does not describe an event."""
        try:
            contract = TenantContract.parse(text)
            schema = fastavro.parse_schema(json.loads(text))
        except (InvalidInput, ValueError, KeyError, fastavro.schema.SchemaParseException) as error:
            raise RegistryRefused(
                f"Schema {schema_id} of {subject} does not describe an audit event: {error}",
                fix="Register a corrected version of it.",
            ) from error
        present = {field.name for field in contract.fields}
        unfit = {field.name: problem for field in contract.own if (problem := default_problem(field))}
        return cls(
            subject,
            schema_id,
            schema,
            contract,
            {field.name: field for field in contract.own},
            contract.ruled,
            tuple(name for name in BASE_FIELDS if name not in present),
            {field.name: field.default for field in contract.own if field.default is not None},
            unfit,
            len(text),
            tuple((field.name, field.rules.pattern.states) for field in contract.ruled if field.rules.pattern),
            PlainEncoder.of(schema_id, contract, unfit),
        )

    def encode(self, event: AuditEvent, max_event_bytes: int) -> bytes:
        """Return the framed Kafka value. Raises InvalidEvent, naming the field, or EventTooLarge."""
        if self.plain is not None and type(event) is AuditEvent:
            done = self.plain.encode(event.__dict__, time.time_ns() // 1_000, max_event_bytes)
            if done is not None:
                return done[1]
        record = event.record()
        # checked here, which saves a call for most events
        own = event.fields if type(event) is AuditEvent else event.custom_fields()
        for name in own:
            record[name] = self._own_value(name, own[name], event)
        if self.defaults:
            self._fill(record, event)
        self._check_absent(record)
        for field in self.ruled:
            broken = rules.check_value(field.rules, record.get(field.name))
            if broken:
                raise InvalidEvent(
                    f"{field.name} {rules.sentence(field.rules, broken)} (rule of {event.tenant_id}'s contract).",
                    field=field.name,
                )
        out = io.BytesIO()
        try:
            fastavro.schemaless_writer(out, self.schema, record)
        except (ValueError, TypeError, OverflowError, KeyError) as error:
            raise InvalidEvent(f"The event does not match schema {self.schema_id}: {error}") from error
        datum = out.getvalue()
        if len(datum) > max_event_bytes:
            largest = max(record, key=lambda name: _size(record[name]))
            raise EventTooLarge(
                f"The encoded event is {len(datum)} bytes long (limit {max_event_bytes}); its largest field is "
                f"{largest}.",
                field=largest,
                fix="Store large objects elsewhere and put a link to them into the event.",
            )
        return frame(self.schema_id, datum)

    def _fill(self, record: dict[str, Any], event: AuditEvent) -> None:
        """Add the defaults of omitted fields. They will be stored, so the rules apply to them too."""
        whole = isinstance(event.fields, StoredFields) and event.fields.whole
        for name, default in self.defaults.items():
            if name in record:
                continue
            if whole and self.own[name].nullable:
                record[name] = None
                continue
            if name in self.unfit:
                raise InvalidEvent(
                    f"{name} is missing, and its default in {event.tenant_id}'s contract is invalid: the value "
                    f"{self.unfit[name]}.",
                    field=name,
                    fix="Set the field, or correct its default in the contract.",
                )
            record[name] = default

    def _own_value(self, name: str, value: Any, event: AuditEvent) -> Any:
        field = self.own.get(name)
        if field is None:
            known = ", ".join(self.own) or "none"
            raise InvalidEvent(
                f"{name} is neither a base field nor a field of {event.tenant_id}'s contract (custom fields: {known}).",
                field=name,
                fix=_sync(name, event)
                or "Correct the name, add the field to the contract, or put the value into metadata.",
            )
        if isinstance(value, str) and isinstance(event.fields, StoredFields):
            value = from_text(field.kind, value)
            if field.kind == "timestamp" and isinstance(value, int):
                return value
        try:
            return converted(field, value)
        except ValueError as error:
            raise InvalidEvent(f"{name} {error}.", field=name, fix=_compare(name, event)) from None

    def _check_absent(self, record: dict[str, Any]) -> None:
        """Reject values of base fields missing from the tenant's older contract, since they would be dropped
        silently.
        """
        for name in self.absent:
            if record.pop(name) != _DEFAULTS.get(name):
                raise InvalidEvent(
                    f"{name} cannot be sent: schema {self.schema_id} of {self.subject} lacks the field.",
                    field=name,
                    fix="Register a version of the contract that has the field, or omit it.",
                )


def _sync(name: str, event: AuditEvent) -> str:
    """Return a fix that registers a field declared in the event's class, or "" if it declares no such field."""
    if not event.declares(name):
        return ""
    command = f"auditlane schema sync {_module(event)} --tenant {event.tenant_id}"
    return f"Run `{command}`; without --tenant, it registers the field for every tenant."


def _compare(name: str, event: AuditEvent) -> str:
    """Return a fix that compares a declared field's type with the contract's, or "" if the class lacks the field."""
    if not event.declares(name):
        return ""
    return f"To compare the declaration, run `auditlane schema diff {_module(event)} --tenant {event.tenant_id}`."


def _module(event: AuditEvent) -> str:
    """Return the event class's module name, which `auditlane schema` can import even if it is the main module."""
    name = type(event).__module__
    if name != "__main__":
        return name
    main = sys.modules[name]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    return spec.name if spec else PurePath(file).stem if file else "MODULE"


def _size(value: Any) -> int:
    return len(str(value)) if value is not None else 0
