"""Tests that Confluent's own Python client and Avro serializers work directly with the registry, without any of
auditlane's code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Schema,
    SchemaReference,
    SchemaRegistryClient,
    ServerConfig,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import RegistryClient


@pytest.fixture
def stock(registry: str) -> Iterator[SchemaRegistryClient]:
    # Retries would hide the original error.
    with SchemaRegistryClient({"url": registry, "max.retries": 0}) as client:
        yield client


def record(name: str, *fields: dict[str, Any]) -> Schema:
    return Schema(json.dumps({"type": "record", "name": name, "fields": list(fields)}), "AVRO")


A: dict[str, Any] = {"name": "a", "type": "string"}
B: dict[str, Any] = {"name": "b", "type": "string"}
B_OPTIONAL: dict[str, Any] = {**B, "default": ""}


def test_register_look_up_and_read(stock: SchemaRegistryClient, unique: str) -> None:
    subject, schema = f"{unique}-value", record(unique, A)
    schema_id = stock.register_schema(subject, schema)
    assert stock.register_schema_full_response(f"{unique}-key", schema).schema_id == schema_id
    found = stock.lookup_schema(subject, schema)
    assert (found.subject, found.version, found.schema_id) == (subject, 1, schema_id)
    assert json.loads(stock.get_schema(schema_id).schema_str) == json.loads(schema.schema_str)
    latest = stock.get_latest_version(subject)
    assert (latest.version, latest.schema_id) == (1, schema_id)
    assert stock.get_version(subject, 1).schema_id == schema_id
    assert stock.get_versions(subject) == [1]
    assert subject in stock.get_subjects()
    assert sorted(stock.get_subjects_by_schema_id(schema_id)) == [f"{unique}-key", subject]
    assert {one.subject for one in stock.get_schema_versions(schema_id)} == {f"{unique}-key", subject}
    assert "AVRO" in stock.get_schema_types()
    assert "." in stock.get_contexts()


def test_errors_have_confluents_codes(stock: SchemaRegistryClient, unique: str) -> None:
    subject = f"{unique}-value"
    with pytest.raises(SchemaRegistryError) as missing:
        stock.get_latest_version(subject)
    assert (missing.value.http_status_code, missing.value.error_code) == (404, 40401)
    stock.register_schema(subject, record(unique, A))
    with pytest.raises(SchemaRegistryError) as conflict:
        stock.register_schema(subject, record(unique, A, B))
    assert (conflict.value.http_status_code, conflict.value.error_code) == (409, 409)
    with pytest.raises(SchemaRegistryError) as invalid:
        stock.register_schema(subject, Schema('{"type": "nothing"}', "AVRO"))
    assert (invalid.value.http_status_code, invalid.value.error_code) == (422, 42201)


def test_compatibility_can_be_configured_per_subject(stock: SchemaRegistryClient, unique: str) -> None:
    subject = f"{unique}-value"
    stock.register_schema(subject, record(unique, A))
    assert stock.test_compatibility(subject, record(unique, A, B_OPTIONAL))
    assert not stock.test_compatibility(subject, record(unique, A, B))
    assert not stock.test_compatibility_all_versions(subject, record(unique, A, B))
    stock.set_compatibility(subject, "NONE")
    assert stock.get_compatibility(subject) == "NONE"
    assert stock.test_compatibility(subject, record(unique, A, B))
    stock.set_config(subject, ServerConfig(compatibility=ConfigCompatibilityLevel.FULL))
    assert stock.get_config(subject).compatibility_level == "FULL"
    with pytest.raises(SchemaRegistryError, match="compatibilityGroup"):
        stock.set_config(subject, ServerConfig(compatibility_group="g"))
    stock.delete_config(subject)
    with pytest.raises(SchemaRegistryError) as absent:
        stock.get_compatibility(subject)
    assert absent.value.error_code == 40408


def test_versions_can_be_deleted_and_a_subject_made_read_only(stock: SchemaRegistryClient, unique: str) -> None:
    subject = f"{unique}-value"
    stock.register_schema(subject, record(unique, A))
    stock.register_schema(subject, record(unique, A, B_OPTIONAL))
    assert stock.delete_version(subject, 1) == 1
    assert stock.delete_version(subject, 1, permanent=True) == 1
    stock.update_mode(subject, "READONLY")
    assert stock.get_mode(subject) == "READONLY"
    with pytest.raises(SchemaRegistryError) as read_only:
        stock.delete_subject(subject)
    assert read_only.value.error_code == 42205
    stock.delete_mode(subject)
    assert stock.delete_subject(subject) == [2]
    assert stock.delete_subject(subject, permanent=True) == [2]


def test_a_schema_keeps_its_references(stock: SchemaRegistryClient, unique: str) -> None:
    stock.register_schema(f"{unique}-inner", record(f"Inner{unique}", A))
    reference = SchemaReference(name=f"Inner{unique}", subject=f"{unique}-inner", version=1)
    outer = record(f"Outer{unique}", {"name": "inner", "type": f"Inner{unique}"})
    schema_id = stock.register_schema(f"{unique}-outer", Schema(outer.schema_str, "AVRO", [reference]))
    (kept,) = stock.get_schema(schema_id).references
    assert (kept.name, kept.subject, kept.version) == (reference.name, reference.subject, 1)


def test_a_stock_serializer_and_deserializer(stock: SchemaRegistryClient, registry: str, unique: str) -> None:
    """This is the documented producer. `auditlane init` has registered the schema, which the producer merely uses."""
    schema = json.dumps(base_schema())
    ours = RegistryClient(registry)
    schema_id = ours.register(f"{unique}-value", schema)
    serialize = AvroSerializer(stock, schema, conf={"auto.register.schemas": False})
    event = {
        "event_id": "01930000-0000-7000-8000-000000000000", "tenant_id": "t", "occurred_at": 1, "action": "Login",
        "actor_id": "", "actor_type": "user", "resource": "", "outcome": "success", "severity": "Info", "source": "",
        "metadata": {"k": "v"},
    }  # fmt: skip
    where = SerializationContext(unique, MessageField.VALUE)
    message = serialize(event, where)
    assert message is not None
    assert message[:5] == b"\0" + schema_id.to_bytes(4, "big")
    with SchemaRegistryClient({"url": registry}) as other:
        read = AvroDeserializer(other)(message, where)
    assert read["action"] == "Login"
    assert read["metadata"] == {"k": "v"}
    ours.close()


def test_a_serializer_with_a_newer_contract_by_pinned_id(stock: SchemaRegistryClient, unique: str) -> None:
    """Events of a tenant on the shared topic pin their schema id, whatever the topic's own subject contains."""
    schema_id = stock.register_schema(f"{unique}.tenant-value", record(unique, A, B_OPTIONAL))
    conf = {"auto.register.schemas": False, "use.schema.id": schema_id,
            "subject.name.strategy": lambda *_: f"{unique}.tenant-value"}  # fmt: skip
    serialize = AvroSerializer(stock, None, conf=conf)
    message = serialize({"a": "1", "b": "2"}, SerializationContext(unique, MessageField.VALUE))
    assert message is not None
    assert int.from_bytes(message[1:5], "big") == schema_id
