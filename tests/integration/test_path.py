"""Tests the whole path on a running stack: from every kind of emitter to rows, the API, exports and third-party
clients.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
import urllib3
from confluent_kafka import Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from fixtures.stack import Stack, until

from auditlane.contract import avro

ROOT = Path(__file__).parents[2]


def _stored(stack: Stack, tenant: str, rows: int) -> None:
    until(lambda: stack.count(where=f"tenant_id = '{tenant}'") >= rows, 60, f"{rows} rows of {tenant}")


def test_an_emitted_event_is_listed_and_exported(stack: Stack, unique: str) -> None:
    emitted = stack.run("emit", "--tenant", unique, "--action", "Login", "--actor", "u-1", "--metadata", "a=b")
    event_id = re.search(r"[0-9a-f-]{36}", emitted.stdout)
    assert event_id is not None
    _stored(stack, unique, 1)
    (listed,) = [json.loads(line) for line in stack.run("events", "--tenant", unique, "--json").stdout.splitlines()]
    assert (listed["event_id"], listed["action"], listed["metadata"]) == (event_id[0], "Login", {"a": "b"})
    rows = list(csv.DictReader(io.StringIO(stack.run("export", "--tenant", unique, "--format", "csv").stdout)))
    assert [row["Event ID"] for row in rows] == [event_id[0]]


def test_a_posted_event_is_listed_by_its_tenants_key(stack: Stack, unique: str) -> None:
    created = stack.run("keys", "create", "--role", "vendor", "--tenant", unique, "--json")
    key = json.loads(created.stdout)
    url = stack.env["AUDITLANE_SERVE_URL"]
    token = urllib3.request(
        "POST", f"{url}/v1/token", json={"client_id": key["client_id"], "secret": key["secret"]}
    ).json()["access_token"]
    sent = urllib3.request(
        "POST", f"{url}/v1/events", json={"action": "Posted"}, headers={"authorization": f"Bearer {token}"}
    )
    assert sent.status == 202, sent.data
    posted = f"tenant_id = '{unique}' AND action = 'Posted'"  # creating the tenant's key is also an event of the tenant
    until(lambda: stack.count(where=posted), 60, "the posted event")
    read = urllib3.request("GET", f"{url}/v1/events?action=Posted", headers={"authorization": f"Bearer {token}"}).json()
    assert [(one["action"], one["event_id"]) for one in read["data"]] == [
        ("Posted", sent.json()["results"][0]["event_id"])
    ]


def test_a_stock_confluent_producer_needs_none_of_our_code(stack: Stack, unique: str) -> None:
    event = {
        "event_id": str(uuid.uuid4()),
        "tenant_id": unique,
        "occurred_at": datetime.now(UTC),
        "action": "Stock",
        "metadata": {},
    }
    with SchemaRegistryClient(stack.registry) as registry:
        serialize = AvroSerializer(registry, json.dumps(avro.base_schema()), conf={"auto.register.schemas": False})
        value = serialize(event, SerializationContext("audit.events", MessageField.VALUE))
    producer = Producer(stack.kafka)
    producer.produce("audit.events", key=unique.encode(), value=value)
    assert producer.flush(30) == 0
    _stored(stack, unique, 1)
    assert stack.count("uniqExact(action)", where=f"tenant_id = '{unique}' AND action = 'Stock'") == 1


@pytest.mark.parametrize("register", [False, True])
def test_a_stock_serializer_that_identifies_the_schema_by_its_guid(stack: Stack, unique: str, register: bool) -> None:
    event = {
        "event_id": str(uuid.uuid4()),
        "tenant_id": unique,
        "occurred_at": datetime.now(UTC),
        "action": "Guid",
        "metadata": {},
    }
    conf = {"auto.register.schemas": register, "schema.id.serializer": header_schema_id_serializer}
    headers: list[tuple[str, bytes]] = []
    with SchemaRegistryClient(stack.registry) as registry:
        serialize = AvroSerializer(registry, json.dumps(avro.base_schema()), conf=conf)
        value = serialize(event, SerializationContext("audit.events", MessageField.VALUE, headers))
        assert registry.get_schema_by_guid(str(uuid.UUID(bytes=headers[0][1][1:]))).schema_str
    producer = Producer(stack.kafka)
    producer.produce("audit.events", key=unique.encode(), value=value, headers=headers)
    nobodys = [(headers[0][0], b"\x01" + uuid.uuid4().bytes)]
    producer.produce("audit.events", key=unique.encode(), value=value, headers=nobodys)
    assert producer.flush(30) == 0
    _stored(stack, unique, 1)

    def refused() -> list[dict[str, str]]:
        output = stack.run("dlq", "list", "--tenant", unique, "--json").stdout
        return [json.loads(line) for line in output.splitlines()]

    until(lambda: len(refused()) == 1, 60, "the dead letter")
    assert refused()[0]["code"] == "SCHEMA_UNKNOWN"
    assert str(uuid.UUID(bytes=nobodys[0][1][1:])) in refused()[0]["reason"]
    assert stack.count(where=f"tenant_id = '{unique}'") == 1


def test_clickhouses_own_node_client_reads_the_view(
    stack: Stack, unique: str, node: list[str], node_modules: Path
) -> None:
    stack.run("emit", "--tenant", unique, "--action", "Grüße", "--metadata", "emoji=🔒")
    _stored(stack, unique, 1)
    url = stack.env["AUDITLANE_CLICKHOUSE_URL"]
    read = subprocess.run(
        [*node, "read_clickhouse.mjs", url, "audit", unique],
        cwd=node_modules,
        env=stack.env,
        capture_output=True,
        text=True,
        check=True,
    )
    (row,) = json.loads(read.stdout)
    assert (row["action"], row["metadata"]) == ("Grüße", {"emoji": "🔒"})


def test_a_corrupt_message_is_a_dead_letter_and_its_neighbours_are_stored(stack: Stack, unique: str) -> None:
    stack.run("emit", "--tenant", unique, "--action", "before")
    producer = Producer(stack.kafka)
    producer.produce("audit.events", key=unique.encode(), value=b"\x00corrupt")
    assert producer.flush(30) == 0
    stack.run("emit", "--tenant", unique, "--action", "after")
    _stored(stack, unique, 2)


def test_two_tenants_never_see_each_other(stack: Stack, unique: str) -> None:
    for tenant in (unique, f"{unique}-2"):
        stack.run("emit", "--tenant", tenant, "--action", f"of {tenant}")
        _stored(stack, tenant, 1)
    for tenant in (unique, f"{unique}-2"):
        listed = stack.run("events", "--tenant", tenant, "--json").stdout.splitlines()
        assert [json.loads(line)["action"] for line in listed] == [f"of {tenant}"]
