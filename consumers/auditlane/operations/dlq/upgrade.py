"""Upgrades a rejected value to the latest contract of its tenant, by Avro schema resolution alone."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import fastavro

from auditlane.contract.registry_reader import Registry, newest_complete
from auditlane.contract.tenant_contract import TenantContract
from auditlane.contract.tenants import base_subject, is_tenant, tenant_of_key, tenant_subject
from auditlane.contract.wire import frame, unframe
from auditlane.runtime.errors import InvalidInput
from auditlane.worker.validation import avro_binary
from auditlane.worker.validation.schema_cache import CachedSchema

_FAILURES: Final = (
    fastavro.read.SchemaResolutionError,
    fastavro.schema.SchemaParseException,
    KeyError,
    TypeError,
    ValueError,
)
_CARRIED: Final = ("default", "aliases")  # field attributes that resolution needs besides the type


class NotResolved(Exception):
    """A value cannot be resolved into the latest contract. The message names the field."""


@dataclass(frozen=True, slots=True)
class Latest:
    """The contract for new events of a tenant."""

    subject: str
    schema_id: int
    reader: dict[str, Any]  # only types, with the defaults and aliases that resolution needs
    parsed: Any

    @classmethod
    def parse(cls, subject: str, schema_id: int, text: str) -> Latest:
        """Parse a registered schema. Raises NotResolved if it does not describe an event."""
        try:
            reader = plain(text)
            return cls(subject, schema_id, reader, fastavro.parse_schema(reader))
        except (InvalidInput, ValueError, fastavro.schema.SchemaParseException) as error:
            raise NotResolved(f"Schema {schema_id} of {subject} does not describe an event: {error}") from error


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The value to send again. `dropped` lists fields that have a value but do not exist in the latest contract."""

    value: bytes | None
    dropped: tuple[str, ...] = ()


class SchemaUpgrader:
    """Upgrades values. Each contract is requested from the registry only once.

    `known` returns the schema with an id, as in the worker. Methods raise RegistryUnavailable and RegistryRefused, as
    the registry client does.
    """

    def __init__(self, registry: Registry, known: Callable[[int], CachedSchema | None], *, topic: str) -> None:
        self._registry = registry
        self._known = known
        self._topic = topic
        self._subjects: frozenset[str] | None = None
        self._latest: dict[str, Latest] = {}
        self._writers: dict[int, Any] = {}

    def upgrade(self, key: bytes | None, value: bytes | None) -> Upgraded:
        """Upgrade a value to the latest contract. A value that cannot be decoded is returned unchanged, and will be
        rejected by validation.

        Raises NotResolved if the value has no counterpart in the latest contract.
        """
        tenant, known = _tenant(key), self.writer(value)
        if tenant is None or known is None or known.contract is None or value is None:
            return Upgraded(value)
        try:
            datum = bytes(unframe(value)[1])
            values = avro_binary.read(known.contract.fields, datum)
        except avro_binary.Malformed:
            return Upgraded(value)
        latest = self.latest(tenant)
        if latest.schema_id == known.schema_id:
            return Upgraded(value)
        record = self._resolve(known, datum, values, latest)
        out = io.BytesIO()
        fastavro.schemaless_writer(out, latest.parsed, record)
        names = {name for one in latest.reader["fields"] for name in (one["name"], *one.get("aliases", ()))}
        dropped = tuple(name for name, held in values.items() if name not in names and held not in (None, ""))
        return Upgraded(frame(latest.schema_id, out.getvalue()), dropped)

    def writer(self, value: bytes | None) -> CachedSchema | None:
        """Return the schema with which a value was written, or None if the value does not name a schema in the
        registry.
        """
        try:
            schema_id = unframe(value or b"")[0]
        except ValueError:
            return None
        return self._known(schema_id)

    def latest(self, tenant: str) -> Latest:
        """Return the tenant's own contract, or that of the base event if the tenant has none.

        Raises NotResolved if the contract does not describe an event.
        """
        if self._subjects is None:
            self._subjects = self._registry.subjects()
        own = tenant_subject(self._topic, tenant)
        subject = own if own in self._subjects else base_subject(self._topic)
        if subject not in self._latest:
            registered = newest_complete(self._registry, subject)
            self._latest[subject] = Latest.parse(subject, registered.schema_id, registered.schema)
        return self._latest[subject]

    def _resolve(self, known: CachedSchema, datum: bytes, values: dict[str, Any], latest: Latest) -> dict[str, Any]:
        assert known.contract is not None
        if known.schema_id not in self._writers:
            self._writers[known.schema_id] = fastavro.parse_schema(json.loads(known.contract.reader_schema()))
        writer = self._writers[known.schema_id]
        try:
            return _read(datum, writer, latest.parsed)
        except _FAILURES:
            field = _unresolvable(json.loads(known.contract.reader_schema()), values, latest.reader)
            raise NotResolved(
                f"{field}: schema {known.schema_id} cannot be resolved into schema {latest.schema_id} of "
                f"{latest.subject}."
            ) from None


def plain(text: str) -> dict[str, Any]:
    """Return the reader schema of a contract. The record and its enums have uniform names, times are longs, and
    attributes are removed.

    Raises InvalidInput if the schema does not describe an event.
    """
    reader: dict[str, Any] = json.loads(TenantContract.parse(text).reader_schema())
    for one, given in zip(reader["fields"], json.loads(text)["fields"], strict=True):
        one |= {name: given[name] for name in _CARRIED if name in given}
        described = given["type"]
        for branch in described if isinstance(described, list) else [described]:
            if isinstance(branch, dict) and branch.get("type") == "enum" and "default" in branch:
                _enum(one["type"])["default"] = branch["default"]
    return reader


def _enum(kind: Any) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in kind if isinstance(one, dict)) if isinstance(kind, list) else kind
    return found


def _read(datum: bytes, writer: Any, reader: Any) -> dict[str, Any]:
    record: Any = fastavro.schemaless_reader(io.BytesIO(datum), writer, reader)
    return dict(record)


def _unresolvable(writer: dict[str, Any], values: dict[str, Any], reader: dict[str, Any]) -> str:
    """Return the first field of the reader's schema that cannot be resolved on its own."""
    written = {one["name"]: one for one in writer["fields"]}
    for field in reader["fields"]:
        source = next((written[name] for name in (field["name"], *field.get("aliases", ())) if name in written), None)
        single = {"type": "record", "name": "AuditEvent", "fields": [source] if source else []}
        value = {source["name"]: values[source["name"]]} if source else {}
        out = io.BytesIO()
        try:
            if source and isinstance(value[source["name"]], list):
                value[source["name"]] = dict(value[source["name"]])
            fastavro.schemaless_writer(out, fastavro.parse_schema(single), value)
            _read(out.getvalue(), fastavro.parse_schema(single), fastavro.parse_schema(reader | {"fields": [field]}))
        except _FAILURES:
            return str(field["name"])
    return "The event"


def _tenant(key: bytes | None) -> str | None:
    try:
        tenant = tenant_of_key(key or b"")
    except UnicodeDecodeError:
        return None
    return tenant if is_tenant(tenant) else None
