"""Support for the validation tests: an in-memory registry, real datums, and ranges."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import fastavro

from auditlane.contract.avro import base_schema
from auditlane.contract.tenants import base_subject
from auditlane.contract.wire import frame
from auditlane.runtime.errors import RegistryUnavailable, SchemaNotFound
from auditlane.worker.validation.batch import RawRange

TOPIC = "audit.events"
NOW_MS = 1_750_000_000_000
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
BASE_ID = 1


@dataclass
class Entry:
    schema: str
    schema_id: int


@dataclass
class DictRegistry:
    """An in-memory registry. `down` makes every request fail, and `requests` lists the requests made."""

    schemas: dict[int, str] = field(default_factory=dict)
    registered: dict[str, list[int]] = field(default_factory=dict)
    guids: dict[UUID, int] = field(default_factory=dict)
    down: bool = False
    requests: list[tuple[str, Any]] = field(default_factory=list)

    def register(self, subject: str, schema: dict[str, Any]) -> int:
        text = json.dumps(schema)
        schema_id = next((one for one, known in self.schemas.items() if known == text), len(self.schemas) + 1)
        self.schemas[schema_id] = text
        self.registered.setdefault(subject, []).append(schema_id)
        return schema_id

    def _ask(self, what: str, about: Any) -> None:
        self.requests.append((what, about))
        if self.down:
            raise RegistryUnavailable("The registry is down.")

    def schema(self, schema_id: int) -> str:
        self._ask("schema", schema_id)
        if schema_id not in self.schemas:
            raise SchemaNotFound("no such schema")
        return self.schemas[schema_id]

    def subjects(self) -> frozenset[str]:
        self._ask("subjects", None)
        return frozenset(self.registered)

    def subjects_of(self, schema_id: int) -> frozenset[str]:
        self._ask("subjects_of", schema_id)
        if schema_id not in self.schemas:
            raise SchemaNotFound("no such schema")
        return frozenset(subject for subject, ids in self.registered.items() if schema_id in ids)

    def id_of(self, guid: UUID) -> int:
        self._ask("id_of", guid)
        if guid not in self.guids:
            raise SchemaNotFound(f"Schema {guid} not found")
        return self.guids[guid]

    def versions(self, subject: str) -> list[int]:
        self._ask("versions", subject)
        if subject not in self.registered:
            raise SchemaNotFound("no such subject")
        return list(range(1, len(self.registered[subject]) + 1))

    def version(self, subject: str, number: int) -> Entry:
        self._ask("version", (subject, number))
        schema_id = self.registered[subject][number - 1]
        return Entry(self.schemas[schema_id], schema_id)

    def latest(self, subject: str) -> Entry:
        self._ask("latest", subject)
        if subject not in self.registered:
            raise SchemaNotFound("no such subject")
        schema_id = self.registered[subject][-1]
        return Entry(self.schemas[schema_id], schema_id)


def base_registry() -> DictRegistry:
    registry = DictRegistry()
    assert registry.register(base_subject(TOPIC), base_schema()) == BASE_ID
    return registry


def contract(*own: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    """Return the base schema with custom fields appended. `attributes` are set on base fields or on the record."""
    schema = base_schema()
    for field_ in schema["fields"]:
        field_.update(attributes.pop(field_["name"], {}))
    return schema | attributes | {"fields": [*schema["fields"], *own]}


def own(name: str, kind: Any, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None} | attributes


def event(**values: Any) -> dict[str, Any]:
    defaults = {one["name"]: one.get("default") for one in base_schema()["fields"]}
    base = {
        "event_id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "tenant_id": "acme",
        "occurred_at": NOW_MS * 1000,
        "action": "Login",
        "ip": "192.0.2.7",
        "metadata": {"a": "1", "b": "2"},
    }
    return defaults | base | values


def datum(values: dict[str, Any], schema: dict[str, Any] | None = None) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema or base_schema()), values)
    return out.getvalue()


def message(schema_id: int = BASE_ID, schema: dict[str, Any] | None = None, **values: Any) -> bytes:
    return frame(schema_id, datum(event(**values), schema))


def raw_range(
    values: list[bytes | None],
    keys: list[bytes | None] | None = None,
    *,
    topic: str = TOPIC,
    first: int = 100,
    timestamps_ms: list[int] | None = None,
    signatures: list[bytes | None] | None = None,
) -> RawRange:
    return RawRange(
        topic=topic,
        topic_id="6f9619ff-8b86-4011-b42d-00c04fc964ff",
        partition=3,
        offsets=list(range(first, first + len(values))),
        timestamps_ms=timestamps_ms or [NOW_MS] * len(values),
        keys=keys or [b"acme"] * len(values),
        values=values,
        signatures=signatures or [],
    )
